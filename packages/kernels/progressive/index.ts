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
  /** [rows] */
  readonly rowScale: Float32Array;
}

/** Such a matrix in device memory, as `packProgressive` leaves it. */
export interface ProgressiveMatrix {
  readonly layout: 'progressive';
  readonly rows: number;
  readonly columns: number;
  readonly group: number;
  readonly address: number;
}

/** Activations of n rows in 8 bits with a scale per row: x ≈ scales · q. All are addresses. */
export interface ByteRows {
  /** [n, columns], −127 … 127 */
  readonly q: number;
  /** float32 [n] */
  readonly scales: number;
  /** int32 [n, columns / group]: Σ q over every group. */
  readonly sums: number;
}

const blockRows = 4;
/** Bytes of weights that a thread takes at a time. */
const itemBytes = 16_384;
/** Columns that share a step, at most, so that a group of four rows fits into scratch memory. */
export const mostProgressiveGroup = 8192;
/** Bytes of scratch memory that products need per thread. */
export function progressiveScratch(group: number): number {
  return Math.max(64 * 80 + blockRows * group, 64 * 64 + 512);
}

function blockBytes(columns: number, group: number): number {
  return 4 * blockRows + (columns / group) * (2 * group + 2 * blockRows);
}

/** Bytes of a matrix; rows are a multiple of 4. */
export function progressiveBytes(rows: number, columns: number, group: number): number {
  return (rows / blockRows) * blockBytes(columns, group);
}

/**
 * In the order in which the kernel reads, 4 rows at a time: their factors in float32, then a tile for every group. Of a row 16 bytes at a
 * time hold 16 columns in their low halves and the next 16 in their high ones; behind the rows of a tile are their 4 scales and their 4
 * products of scale and zero.
 * @throws RangeError where rows, groups or columns do not divide.
 */
export function packProgressive({ rows, columns, group, q, scale, zero, rowScale }: ProgressiveRows): Uint8Array {
  if (rows % blockRows !== 0 || group % 32 !== 0 || columns % group !== 0 || group > mostProgressiveGroup) {
    throw new RangeError(`${rows} × ${columns} in groups of ${group} are not whole tiles`);
  }
  const groups = columns / group;
  const out = new Uint8Array(progressiveBytes(rows, columns, group));
  const view = new DataView(out.buffer);
  let at = 0;
  for (let first = 0; first < rows; first += blockRows) {
    for (let r = first; r < first + blockRows; r++, at += 4) view.setFloat32(at, rowScale[r] ?? 0, true);
    for (let g = 0; g < groups; g++, at += 2 * group + 2 * blockRows) {
      for (let r = first; r < first + blockRows; r++) {
        const step = r * groups + g;
        for (let i = 0; i < group / 2; i++) {
          const c = r * columns + g * group + 32 * (i >> 4) + (i & 15);
          out[at + (r - first) * (group / 2) + i] = (q[c] ?? 0) | ((q[c + 16] ?? 0) << 4);
        }
        out[at + 2 * group + (r - first)] = scale[step] ?? 0;
        out[at + 2 * group + blockRows + (r - first)] = (scale[step] ?? 0) * (zero[step] ?? 0);
      }
    }
  }
  return out;
}

interface Product {
  readonly matrix: ProgressiveMatrix;
  readonly n: number;
  /** float32 [n, stride]. */
  readonly out: number;
  readonly stride: number;
  /** Address of `rows` floats, or 0. */
  readonly bias?: number;
  /** Add to what `out` holds. */
  readonly accumulate?: boolean;
  readonly join?: boolean;
}

/** out [n, rows] (+)= scales · rowScale · Σ_g scale · (Σ q · x − zero · Σ x) + bias, of which all sums are exact integers. */
export function progressive(x: ByteRows, product: Product): Command {
  const { out, stride, bias = 0, accumulate = false, join } = product;
  return command(
    'progressive',
    [...integers(x, product), out, stride, x.scales, bias, accumulate ? 1 : 0, items(product)],
    join,
  );
}

/** The integers alone: Σ_g scale · (Σ q · x − zero · Σ x), int32 [n, stride]. */
export function progressiveSums(x: Omit<ByteRows, 'scales'>, product: Omit<Product, 'bias' | 'accumulate'>): Command {
  const { out, stride, join } = product;
  return command('progressive', [...integers(x, product), out, stride, 0, 0, 0, items(product)], join);
}

/** The same with x [n, columns] in float32. */
export function progressiveFloat(x: number, product: Product): Command {
  const { matrix, n, out, stride, bias = 0, accumulate = false, join } = product;
  const { address, rows, columns, group } = matrix;
  return command(
    'progressiveFloat',
    [address, rows, columns, group, x, n, out, stride, bias, accumulate ? 1 : 0],
    join,
  );
}

function integers({ q, sums }: Omit<ByteRows, 'scales'>, { matrix, n }: Product): number[] {
  const { address, rows, columns, group } = matrix;
  return [address, rows, columns, group, q, sums, n];
}

/** Blocks that a thread takes at a time. */
function items({ matrix: { columns, group } }: Product): number {
  return Math.max(1, Math.round(itemBytes / blockBytes(columns, group)));
}

interface Rounding {
  /** Address of float32 [rows, stride]. */
  readonly x: number;
  readonly stride: number;
  readonly rows: number;
  readonly columns: number;
  readonly group: number;
  readonly join?: boolean;
}

/** Rounds rows to 8 bits with a scale per row: max |x| / 127, of at least 10⁻⁶. */
export function quantizeRows(
  { x, stride, rows, columns, group, join }: Rounding,
  { q, scales, sums }: ByteRows,
): Command {
  return command('quantizeRows', [x, stride, rows, columns, group, q, scales, sums], join);
}
