/** The `count` highest scores, ascending by index; of equal scores the earlier one. */
export function highest(scores: Float32Array, count: number): Int32Array {
  const { length } = scores;
  if (count >= length) return Int32Array.from({ length }, (_, i) => i);
  if (count <= 0) return new Int32Array();
  const threshold = Float32Array.from(scores).sort()[length - count] ?? Number.NaN;
  const chosen = new Int32Array(count);
  let above = 0;
  for (let i = 0; i < length; i++) if ((scores[i] ?? 0) > threshold) above++;
  let equal = count - above;
  for (let i = 0, at = 0; i < length; i++) {
    const score = scores[i] ?? 0;
    if (score > threshold || (score === threshold && equal-- > 0)) chosen[at++] = i;
  }
  return chosen;
}

/** Pooling with stride 1 along the first `length` scores; an average counts zeros beyond either end, a maximum nothing. */
export function pooled(scores: Float32Array, length: number, kernel: number, pooling: 'max' | 'avg'): Float32Array {
  const out = new Float32Array(length);
  const reach = (kernel - 1) / 2;
  for (let i = 0; i < length; i++) {
    let total = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let j = Math.max(0, i - reach); j <= Math.min(length - 1, i + reach); j++) {
      const score = scores[j] ?? 0;
      total += score;
      most = Math.max(most, score);
    }
    out[i] = pooling === 'avg' ? total / kernel : most;
  }
  return out;
}
