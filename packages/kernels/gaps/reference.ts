/** What `gapFeatures` does, for one gap: queries and keys [2 w][c], outputs [2 w][heads][c] of its window. */
export interface GapWindow {
  readonly queries: readonly ArrayLike<number>[];
  readonly keys: readonly ArrayLike<number>[];
  readonly outputs: readonly (readonly ArrayLike<number>[])[];
}

export interface GapNorm {
  readonly bias: ArrayLike<number>;
  readonly normWeight: ArrayLike<number>;
  readonly normBias: ArrayLike<number>;
  readonly epsilon: number;
}

/** Features [4 c + 1] of a gap. */
export function gapReference(
  { queries, keys, outputs }: GapWindow,
  { bias, normWeight, normBias, epsilon }: GapNorm,
): Float64Array {
  const c = bias.length;
  const heads = outputs[0]?.length ?? 0;
  const size = c / heads;
  const w = queries.length / 2;
  const means = [new Float64Array(c), new Float64Array(c)] as const;
  for (const [t, query] of queries.entries()) {
    const mixed = Float64Array.from(bias);
    for (let head = 0; head < heads; head++) {
      const scores = keys.map((key) => {
        let score = 0;
        for (let k = head * size; k < (head + 1) * size; k++) score += (query[k] ?? 0) * (key[k] ?? 0);
        return score / Math.sqrt(size);
      });
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [j, weight] of weights.entries()) {
        for (const k of mixed.keys()) mixed[k] = (mixed[k] ?? 0) + (weight / total) * (outputs[j]?.[head]?.[k] ?? 0);
      }
    }
    const mean = mixed.reduce((sum, x) => sum + x, 0) / c;
    const variance = mixed.reduce((sum, x) => sum + (x - mean) ** 2, 0) / c;
    const side = means[t < w ? 0 : 1];
    for (const [k, x] of mixed.entries()) {
      const normed = ((x - mean) / Math.sqrt(variance + epsilon)) * (normWeight[k] ?? 0) + (normBias[k] ?? 0);
      side[k] = (side[k] ?? 0) + normed / w;
    }
  }
  const [left, right] = means;
  const product = left.map((x, k) => x * (right[k] ?? 0));
  const length = (x: Float64Array) => Math.max(1e-6, Math.sqrt(x.reduce((sum, one) => sum + one * one, 0)));
  const cosine = product.reduce((sum, x) => sum + x, 0) / (length(left) * length(right));
  return Float64Array.of(...left, ...right, ...left.map((x, k) => Math.abs(x - (right[k] ?? 0))), ...product, cosine);
}

export interface Cut {
  readonly w: number;
  readonly threshold: number;
  readonly reach: number;
  readonly most: number;
  readonly together: number;
}

/** How many rows there are up to the end of every chunk that logits [n] of gaps cut. */
export function boundaryReference(logits: ArrayLike<number>, { w, threshold, reach, most, together }: Cut): number[] {
  const n = logits.length;
  const forced = together > 0 && together < n ? [n - together - 1] : [];
  const taken = [...forced];
  const order = Array.from({ length: n }, (_, i) => i)
    .filter((i) => i >= w - 1 && i < n - w && (logits[i] ?? 0) > threshold)
    .filter((i) => forced.every((last) => i < last))
    .sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  for (const i of order) {
    if (taken.length - forced.length >= most) break;
    if (taken.every((other) => Math.abs(other - i) > reach)) taken.push(i);
  }
  return [...taken.sort((a, b) => a - b).map((i) => i + 1), n];
}
