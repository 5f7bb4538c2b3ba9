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

/** How a matrix lies in device memory; the order is the number that kernels know it by. */
export const layouts = ['q4x32', 'q4x16', 'q8x32', 'q8x16', 'f32'] as const;
export type Layout = (typeof layouts)[number];

/** A packed matrix: [rows, columns], rows padded to a multiple of 8 with zeros. */
export interface Matrix {
  readonly layout: Layout;
  readonly rows: number;
  readonly columns: number;
  readonly address: number;
}

export function layoutOf(bits: 4 | 8, group: 16 | 32): Layout {
  return bits === 4 ? (group === 32 ? 'q4x32' : 'q4x16') : group === 32 ? 'q8x32' : 'q8x16';
}

/** Bytes of 8 rows. */
export function blockBytes(layout: Layout, columns: number): number {
  switch (layout) {
    case 'q4x32':
      return (columns / 32) * 192;
    case 'q4x16':
      return (columns / 16) * 128;
    case 'q8x32':
      return (columns / 32) * 320;
    case 'q8x16':
      return (columns / 16) * 192;
    case 'f32':
      return columns * 32;
  }
}

export function matrixBytes(layout: Layout, rows: number, columns: number): number {
  return Math.ceil(rows / 8) * blockBytes(layout, columns);
}

/**
 * Packs `rows` rows (from a multiple of 8 on) to `out`, which holds `matrixBytes` of them.
 *
 * A group of 8 rows is: 8 scales, 8 minima (float32), then for every 8 columns (4 bits) or 4 columns (8 bits) 32 bytes:
 * row r has the 4 bytes from 4 r on. With 4 bits the low halves are columns 0 … 3 and the high halves 4 … 7. With 8 bits
 * numbers are stored with 128 added, and the minimum takes 128 · scale back.
 */
export function packAffine(source: AffineRows, rows: number, columns: number, out: Uint8Array): void {
  const { group, q, scale, min } = source;
  const four = source.bits === 4;
  const words = new Uint32Array(out.buffer, out.byteOffset, out.byteLength >> 2);
  const floats = new Float32Array(out.buffer, out.byteOffset, out.byteLength >> 2);
  const groups = columns / group;
  const step = four ? 8 : 4;
  const groupWords = 16 + (group / step) * 8;
  for (let r = 0; r < rows; r++) {
    let at = (r >> 3) * groups * groupWords + (r & 7);
    let from = r * columns;
    for (let g = 0; g < groups; g++) {
      const s = scale[r * groups + g]!;
      const m = min[r * groups + g]!;
      floats[at] = s;
      floats[at + 8] = four ? m : m - 128 * s;
      let to = at + 16;
      if (four) {
        for (let c = 0; c < group; c += 8) {
          const low = q[from]! | (q[from + 1]! << 8) | (q[from + 2]! << 16) | (q[from + 3]! << 24);
          const high = q[from + 4]! | (q[from + 5]! << 8) | (q[from + 6]! << 16) | (q[from + 7]! << 24);
          words[to] = low | (high << 4);
          from += 8;
          to += 8;
        }
      } else {
        for (let c = 0; c < group; c += 4) {
          // Adding 128 to a signed byte is flipping its top bit.
          words[to] =
            ((q[from]! & 255) | ((q[from + 1]! & 255) << 8) | ((q[from + 2]! & 255) << 16) | (q[from + 3]! << 24)) ^
            0x80808080;
          from += 4;
          to += 8;
        }
      }
      at += groupWords;
    }
  }
}

/** Packs rows of float32, [rows, columns], for the layout `f32`: blocks of [columns][8]. */
export function packFloats(source: Float32Array, rows: number, columns: number, out: Float32Array): void {
  for (let r = 0; r < rows; r++) {
    let at = (r >> 3) * columns * 8 + (r & 7);
    for (let c = 0; c < columns; c++, at += 8) out[at] = source[r * columns + c]!;
  }
}
