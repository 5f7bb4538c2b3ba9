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

/** A packed matrix: [rows, columns], rows padded to whole blocks with zeros. */
export interface Matrix {
  readonly layout: Layout;
  readonly rows: number;
  readonly columns: number;
  readonly address: number;
}

/** Rows that lie together. */
export const blockRows = 16;

/** Bytes of a group of 8 rows. */
function groupBytes({ bits, group, minima }: Form): number {
  return (minima ? 32 : 16) + group * bits;
}

/** Bytes of a block. */
export function blockBytes(layout: Layout, columns: number): number {
  if (layout === 'f32') return columns * 64;
  return 64 + 2 * (columns / forms[layout].group) * groupBytes(forms[layout]);
}

export function matrixBytes(layout: Layout, rows: number, columns: number): number {
  return Math.ceil(rows / blockRows) * blockBytes(layout, columns);
}

/**
 * Packs `rows` rows (of whole blocks but for the matrix's last) to `out`, which holds `matrixBytes` of them. A layout without
 * minima takes rows whose minima are 0 (8 bits) or −8 · scale (4 bits).
 *
 * A block begins with a factor per row, a power of two in float32. Then for every group there are, of the first 8 rows and
 * then of the others,
 * - 8 scales, and 8 minima if there are any, in half precision and to be multiplied by the factors, which bring the largest
 *   of a row to the upper end of what a half can hold: what was a half stays exact, anything else keeps 11 bits, however
 *   large or small it is;
 * - for every 8 columns (4 bits) or 4 columns (8 bits) 32 bytes: row r has the 4 bytes from 4 r on. With 4 bits the low
 *   halves are columns 0 … 3 and the high halves 4 … 7. With 8 bits numbers are stored with 128 added.
 */
export function packAffine(
  source: AffineRows,
  layout: PackedLayout,
  rows: number,
  columns: number,
  out: Uint8Array,
): void {
  const { q, scale, min } = source;
  const { bits, group, minima } = forms[layout];
  const aligned = q.byteOffset % 4 === 0 ? q : q.slice();
  const fours = new Uint32Array(aligned.buffer, aligned.byteOffset, (rows * columns) / 4);
  const words = new Uint32Array(out.buffer, out.byteOffset, out.byteLength >> 2);
  const floats = new Float32Array(out.buffer, out.byteOffset, out.byteLength >> 2);
  const halves = new Uint16Array(out.buffer, out.byteOffset, out.byteLength >> 1);
  const blockWords = blockBytes(layout, columns) / 4;
  const scaleWords = minima ? 8 : 4;
  const octetWords = groupBytes(forms[layout]) / 4;
  const groups = columns / group;
  const rowHalves = new Uint16Array(2 * groups);
  for (let r = 0; r < rows; r++) {
    const block = (r >> 4) * blockWords;
    floats[block + (r & 15)] = halvesOf(scale, minima ? min : undefined, r * groups, groups, rowHalves);
    let at = block + 16 + ((r >> 3) & 1) * octetWords;
    let from = (r * columns) / 4;
    for (let g = 0; g < groups; g++) {
      halves[2 * at + (r & 7)] = rowHalves[g]!;
      if (minima) halves[2 * at + 8 + (r & 7)] = rowHalves[groups + g]!;
      at += scaleWords;
      const end = from + group / 4;
      if (bits === 4) {
        for (; from < end; from += 2, at += 8) words[at + (r & 7)] = fours[from]! | (fours[from + 1]! << 4);
      } else {
        // Adding 128 to a signed byte is flipping its top bit.
        for (; from < end; from++, at += 8) words[at + (r & 7)] = fours[from]! ^ 0x80808080;
      }
      at += octetWords;
    }
  }
}

/**
 * Writes a row's scales and minima as halves and returns what they are to be multiplied by: the smallest power of two, if it
 * is a normal float32, under which the largest is a half.
 */
function halvesOf(
  scale: Float32Array,
  min: Float32Array | undefined,
  first: number,
  groups: number,
  out: Uint16Array,
): number {
  let largest = 0;
  for (let g = first; g < first + groups; g++) {
    const s = Math.abs(scale[g]!);
    if (s > largest) largest = s;
  }
  if (min) {
    for (let g = first; g < first + groups; g++) {
      const m = Math.abs(min[g]!);
      if (m > largest) largest = m;
    }
  }
  let factor = largest === 0 ? 1 : 2 ** Math.max(-126, Math.floor(Math.log2(largest)) - 15);
  if (largest / factor > 65504) factor *= 2;
  const inverse = 1 / factor;
  for (let g = 0; g < groups; g++) out[g] = floatToHalf(scale[first + g]! * inverse);
  if (min) for (let g = 0; g < groups; g++) out[groups + g] = floatToHalf(min[first + g]! * inverse);
  return factor;
}

/** Packs rows of float32, [rows, columns], for the layout `f32`: blocks of [columns][8]. */
export function packFloats(source: Float32Array, rows: number, columns: number, out: Float32Array): void {
  for (let r = 0; r < rows; r++) {
    let at = (r >> 3) * columns * 8 + (r & 7);
    for (let c = 0; c < columns; c++, at += 8) out[at] = source[r * columns + c]!;
  }
}
