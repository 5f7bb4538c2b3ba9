import { floatToHalf } from '../half.ts';

/**
 * A matrix in the form that every block format reduces to: `w[r, c] = scale[r, c / group] * q[r, c] + min[r, c / group]`.
 * Rows are output features, columns are input features; `columns` is a multiple of `group`.
 */
export type AffineRows =
  | {
      readonly bits: 4;
      readonly group: 16 | 32;
      /** [rows, columns], 0 … 15 */
      readonly q: Uint8Array;
      /** [rows, columns / group] */
      readonly scale: Float32Array;
      /** [rows, columns / group] */
      readonly min: Float32Array;
    }
  | {
      readonly bits: 8;
      readonly group: 16 | 32;
      /** [rows, columns], −128 … 127 */
      readonly q: Int8Array;
      readonly scale: Float32Array;
      readonly min: Float32Array;
    };

/**
 * How a matrix lies in device memory; the order is the number that kernels know it by. Layouts that end in `m` hold a
 * minimum per group, the others what is centred: 8 (of 0 … 15) or 128 (of 0 … 255) stand for 0.
 */
export const layouts = ['q4x32', 'q4x32m', 'q4x16m', 'q8x32', 'q8x32m', 'q8x16', 'f32'] as const;
export type Layout = (typeof layouts)[number];
export type PackedLayout = Exclude<Layout, 'f32'>;

interface Form {
  readonly bits: 4 | 8;
  readonly group: 16 | 32;
  readonly minima: boolean;
}

export const forms: Readonly<Record<PackedLayout, Form>> = {
  q4x32: { bits: 4, group: 32, minima: false },
  q4x32m: { bits: 4, group: 32, minima: true },
  q4x16m: { bits: 4, group: 16, minima: true },
  q8x32: { bits: 8, group: 32, minima: false },
  q8x32m: { bits: 8, group: 32, minima: true },
  q8x16: { bits: 8, group: 16, minima: false },
};

/** A packed matrix: [rows, columns], rows padded to a multiple of 8 with zeros. */
export interface Matrix {
  readonly layout: Layout;
  readonly rows: number;
  readonly columns: number;
  readonly address: number;
}

/** Where the numbers of a block begin: behind 8 factors and the scales and minima, at a multiple of 32. */
function headBytes({ group, minima }: Form, columns: number): number {
  return 32 + Math.ceil(((columns / group) * (minima ? 32 : 16)) / 32) * 32;
}

/** Bytes of 8 rows. */
export function blockBytes(layout: Layout, columns: number): number {
  if (layout === 'f32') return columns * 32;
  return headBytes(forms[layout], columns) + columns * forms[layout].bits;
}

export function matrixBytes(layout: Layout, rows: number, columns: number): number {
  return Math.ceil(rows / 8) * blockBytes(layout, columns);
}

/**
 * Packs `rows` rows (from a multiple of 8 on) to `out`, which holds `matrixBytes` of them. A layout without minima takes
 * rows whose minima are 0 (8 bits) or −8 · scale (4 bits).
 *
 * A block of 8 rows is:
 * - a factor per row, a power of two in float32;
 * - for every group 8 scales, then 8 minima where there are any, in half precision and to be multiplied by the factor,
 *   which brings the largest of a row near the upper end of what a half can hold: what was a half stays exact, the rest
 *   keeps 11 bits, however large or small it is;
 * - from a multiple of 32 on, for every 8 columns (4 bits) or 4 columns (8 bits), 32 bytes: row r has the 4 bytes from
 *   4 r on. With 4 bits the low halves are columns 0 … 3 and the high halves 4 … 7. With 8 bits 128 is added.
 */
export function packAffine(
  source: AffineRows,
  layout: PackedLayout,
  rows: number,
  columns: number,
  out: Uint8Array,
): void {
  const { group, q, scale, min } = source;
  const form = forms[layout];
  const words = new Uint32Array(out.buffer, out.byteOffset, out.byteLength >> 2);
  const block = blockBytes(layout, columns);
  const head = headBytes(form, columns);
  const groups = columns / group;
  for (let r = 0; r < rows; r++) {
    const start = (r >> 3) * block;
    const parts = [scale.subarray(r * groups, (r + 1) * groups)];
    if (form.minima) parts.push(min.subarray(r * groups, (r + 1) * groups));
    packHalves(parts, r & 7, out, start);
    let to = (start + head) / 4 + (r & 7);
    let from = r * columns;
    const end = from + columns;
    if (form.bits === 4) {
      for (; from < end; from += 8, to += 8) {
        const low = q[from]! | (q[from + 1]! << 8) | (q[from + 2]! << 16) | (q[from + 3]! << 24);
        const high = q[from + 4]! | (q[from + 5]! << 8) | (q[from + 6]! << 16) | (q[from + 7]! << 24);
        words[to] = low | (high << 4);
      }
    } else {
      for (; from < end; from += 4, to += 8) {
        // Adding 128 to a signed byte is flipping its top bit.
        words[to] =
          ((q[from]! & 255) | ((q[from + 1]! & 255) << 8) | ((q[from + 2]! & 255) << 16) | (q[from + 3]! << 24)) ^
          0x80808080;
      }
    }
  }
}

/** Writes one row's factor, and its scales and minima divided by it. */
function packHalves(parts: readonly Float32Array[], row: number, out: Uint8Array, start: number): void {
  let largest = 0;
  for (const part of parts) for (const value of part) largest = Math.max(largest, Math.abs(value));
  // The largest comes to lie in [2^14, 2^15). A smaller factor would be no normal float32.
  const exponent = Math.max(-126, Math.floor(Math.log2(largest || 1)) - 14);
  new Float32Array(out.buffer, out.byteOffset + start, 8)[row] = 2 ** exponent;
  const inverse = 2 ** -exponent;
  const halves = new Uint16Array(out.buffer, out.byteOffset + start + 32, 8 * parts.length * (parts[0]?.length ?? 0));
  for (const [i, part] of parts.entries()) {
    for (let g = 0; g < part.length; g++) halves[8 * (g * parts.length + i) + row] = floatToHalf(part[g]! * inverse);
  }
}

/** Packs rows of float32, [rows, columns], for the layout `f32`: blocks of [columns][8]. */
export function packFloats(source: Float32Array, rows: number, columns: number, out: Float32Array): void {
  for (let r = 0; r < rows; r++) {
    let at = (r >> 3) * columns * 8 + (r & 7);
    for (let c = 0; c < columns; c++, at += 8) out[at] = source[r * columns + c]!;
  }
}
