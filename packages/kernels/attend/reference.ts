import { weighReference } from '../weigh/reference.ts';

/** One slot of a key/value head. */
export interface KeyValue {
  readonly position: number;
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
}

/** How far a head sees. */
export interface Sight {
  /** 0 is no window. */
  readonly window: number;
  readonly sinks?: number;
}

/** What the queries of a head are compared with. */
export interface Seen extends Sight {
  readonly slots: readonly KeyValue[];
  readonly scale: number;
  /** Added to the scores of the first slot. */
  readonly bias?: number;
}

/** A query sees the keys that are not ahead of it and less than `window` behind it or below the sinks. */
export function isSeen(position: number, keyPosition: number, { window, sinks = 0 }: Sight): boolean {
  return keyPosition <= position && (window === 0 || position - keyPosition < window || keyPosition < sinks);
}

/** scale · q·k (+ bias) for every slot; −∞ for those that are not seen. */
export function seenScores(query: ArrayLike<number>, position: number, seen: Seen): Float64Array {
  return Float64Array.from(seen.slots, ({ key, position: at }, slot) =>
    isSeen(position, at, seen)
      ? seen.scale * dot(query, key) + (slot === 0 ? (seen.bias ?? 0) : 0)
      : Number.NEGATIVE_INFINITY,
  );
}

/** Softmax attention of one query [d] over the slots it sees: Σ softmax(scale · q·k) v; zeros when it sees none. */
export function attendReference(query: ArrayLike<number>, position: number, seen: Seen): Float64Array {
  const weights = weighReference(query, position, seen);
  const out = new Float64Array(query.length);
  for (const [i, { value, position: at }] of seen.slots.entries()) {
    if (!isSeen(position, at, seen)) continue;
    for (let c = 0; c < out.length; c++) out[c] = (out[c] ?? 0) + (weights[i] ?? 0) * (value[c] ?? 0);
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

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += (a[c] ?? 0) * (b[c] ?? 0);
  return sum;
}
