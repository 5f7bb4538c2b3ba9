import { type Command, command } from '../command.ts';

/** A matrix of 4 bits: w[r, c] ≈ rowScale[r] · (q[r, c] − zero[r, g]) · scale[r, g], g = c / group. */
export interface ProgressiveRows {
  readonly rows: number;
  readonly columns: number;
  /** A multiple of 32 that divides the columns. */
  readonly group: number;
  /** [rows, columns], 0 … 15 */
  readonly q: Uint8Array;
  /** [rows, columns / group], 1 … 16 */
  readonly scale: Uint8Array;
  /** [rows, columns / group], 0 … 15 */
  readonly zero: Uint8Array;
}

/** Bytes of the tiles of a matrix; rows are a multiple of 4. */
export function progressiveBytes(rows: number, columns: number, group: number): number {
  return (rows / 4) * (columns / group) * (2 * group + 8);
}

/**
 * In the order in which the kernel reads: a tile is 4 rows of one group. Of a row 16 bytes at a time hold 16 columns in their low halves and
 * the next 16 in their high ones; behind the rows are their 4 scales and their 4 products of scale and zero.
 * @throws RangeError where rows, groups or columns do not divide.
 */
export function packProgressive({ rows, columns, group, q, scale, zero }: ProgressiveRows): Uint8Array {
  if (rows % 4 !== 0 || group % 32 !== 0 || columns % group !== 0) {
    throw new RangeError(`${rows} × ${columns} in groups of ${group} are not whole tiles`);
  }
  const groups = columns / group;
  const out = new Uint8Array(progressiveBytes(rows, columns, group));
  let at = 0;
  for (let first = 0; first < rows; first += 4) {
    for (let g = 0; g < groups; g++, at += 2 * group + 8) {
      for (let r = first; r < first + 4; r++) {
        const step = r * groups + g;
        for (let i = 0; i < group / 2; i++) {
          const c = r * columns + g * group + 32 * (i >> 4) + (i & 15);
          out[at + (r - first) * (group / 2) + i] = (q[c] ?? 0) | ((q[c + 16] ?? 0) << 4);
        }
        out[at + 2 * group + (r - first)] = scale[step] ?? 0;
        out[at + 2 * group + 4 + (r - first)] = (scale[step] ?? 0) * (zero[step] ?? 0);
      }
    }
  }
  return out;
}

export interface Progressive {
  /** Address of the tiles (`packProgressive`). */
  readonly tiles: number;
  readonly rows: number;
  readonly columns: number;
  readonly group: number;
  /** Address of activations in bytes [n, columns], −127 … 127. */
  readonly x: number;
  /** Address of their sums over every group, int32 [n, columns / group]. */
  readonly sums: number;
  readonly n: number;
  /** Address of int32 [n, rows]. */
  readonly out: number;
  readonly join?: boolean;
}

/** Integer products, exact: Σ_g scale · (Σ q · x − zero · Σ x). */
export function progressive({ tiles, rows, columns, group, x, sums, n, out, join }: Progressive): Command {
  return command('progressive', [tiles, rows, columns, group, x, sums, n, out], join);
}
