import { type Command, command } from '../command.ts';

export interface Similar {
  /** Address of float32 [n, h, d]; d divides by 16. */
  readonly queries: number;
  readonly n: number;
  readonly h: number;
  readonly d: number;
  /** Address of int32 addresses of groups of vectors, one every `vectorBytes`; all but the last are full. */
  readonly groups: number;
  /** Items of a group; divides by 32. */
  readonly perGroup: number;
  /** Items of all groups. */
  readonly count: number;
  /** Vectors of an item, one behind the other. */
  readonly each: number;
  /** Address of float32 [count, h]. */
  readonly out: number;
  /** Address of int64 [3], to whose last the vectors are added (`LayerView.counts`). */
  readonly counts?: number;
  readonly join?: boolean;
}

/** Bytes of scratch a thread needs. */
export function similarScratch(h: number, d: number): number {
  return 2 * h * d + 4 * h + 16 + 4 * d;
}

/** Bytes from vector to vector: int8 [h, d], then float32 [h] scales. */
export function vectorBytes(h: number, d: number): number {
  return Math.ceil((h * (d + 4)) / 16) * 16;
}

/**
 * For each head the largest dot product of the mean of the queries with an item's vectors, which lie in 8 bits; the mean is rounded
 * to 15 bits and a sign per head.
 */
export function similar(one: Similar): Command {
  const { queries, n, h, d, groups, perGroup, count, each, out, counts = 0, join } = one;
  if (perGroup % 32 !== 0) throw new RangeError(`${perGroup} items in a group`);
  return command('similar', [queries, n, h, d, groups, perGroup, vectorBytes(h, d), count, each, out, counts], join);
}

/** Writes a vector [h, d] in 8 bits. */
export function packVector(vector: ArrayLike<number>, h: number, d: number, out: Uint8Array): void {
  const numbers = new Int8Array(out.buffer, out.byteOffset, h * d);
  const scales = new Float32Array(out.buffer, out.byteOffset + h * d, h);
  for (let head = 0; head < h; head++) {
    let most = 0;
    for (let c = head * d; c < (head + 1) * d; c++) most = Math.max(most, Math.abs(vector[c] ?? 0));
    const scale = most / 127;
    scales[head] = scale;
    for (let c = head * d; c < (head + 1) * d; c++) numbers[c] = scale > 0 ? Math.round((vector[c] ?? 0) / scale) : 0;
  }
}
