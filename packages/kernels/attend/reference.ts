/** One slot of a key/value head. */
export interface KeyValue {
  readonly position: number;
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
}

/** A query sees the keys that are not ahead of it and less than `window` behind it; a window of 0 is none. */
export function isSeen(position: number, keyPosition: number, window: number): boolean {
  return keyPosition <= position && (window === 0 || position - keyPosition < window);
}

/** Softmax attention of one query [d] over the slots it sees: Σ softmax(scale · q·k) v; zeros when it sees none. */
export function attendReference(
  query: ArrayLike<number>,
  position: number,
  slots: readonly KeyValue[],
  scale: number,
  window: number,
): Float64Array {
  const seen = slots.filter((slot) => isSeen(position, slot.position, window));
  const scores = seen.map(({ key }) => scale * dot(query, key));
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const out = new Float64Array(query.length);
  for (const [i, { value }] of seen.entries()) {
    const weight = (weights[i] ?? 0) / sum;
    for (let c = 0; c < out.length; c++) out[c] = (out[c] ?? 0) + weight * (value[c] ?? 0);
  }
  return out;
}

/**
 * Attention over a part of the keys: the largest score in bits (times log₂ e), Σ 2^(score − largest), and that sum weighted
 * by the values.
 */
export interface Partial {
  readonly max: number;
  readonly sum: number;
  readonly out: ArrayLike<number>;
}

/** Attention over all keys from attention over parts of them (Dao et al. 2023, Flash-Decoding). */
export function mergeReference(parts: readonly Partial[], d: number): Float64Array {
  const seen = parts.filter(({ sum }) => sum !== 0);
  const top = Math.max(...seen.map(({ max }) => max));
  const factors = seen.map(({ max }) => 2 ** (max - top));
  const sum = seen.reduce((total, part, i) => total + part.sum * (factors[i] ?? 0), 0);
  const out = new Float64Array(d);
  for (const [i, part] of seen.entries()) {
    for (let c = 0; c < d; c++) out[c] = (out[c] ?? 0) + ((part.out[c] ?? 0) * (factors[i] ?? 0)) / sum;
  }
  return out;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += (a[c] ?? 0) * (b[c] ?? 0);
  return sum;
}
