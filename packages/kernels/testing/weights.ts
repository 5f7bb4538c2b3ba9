import {
  type AffineRows,
  forms,
  type Layout,
  matrixBytes,
  type PackedLayout,
  packAffine,
  packFloats,
} from '../matmul/layout.ts';
import { affineReference } from '../matmul/reference.ts';
import { type Fill, floats, ints } from './numbers.ts';

/** A random matrix in a layout. */
export interface Weights {
  /** As it lies in device memory. */
  readonly packed: Uint8Array;
  /** The numbers it stands for, [rows, columns]. */
  readonly values: Float64Array;
  /** How large the two parts of each number are that are added in float32, [rows, columns]. */
  readonly sizes: Float64Array;
}

export function weights(
  layout: Layout,
  rows: number,
  columns: number,
  next: () => number,
  fill: Fill = 'normal',
): Weights {
  const packed = new Uint8Array(matrixBytes(layout, rows, columns));
  if (layout === 'f32') {
    const values = floats(rows * columns, next, fill);
    packFloats(values, rows, columns, new Float32Array(packed.buffer));
    return { packed, values: Float64Array.from(values), sizes: Float64Array.from(values, Math.abs) };
  }
  const source = affine(layout, rows, columns, next, fill);
  packAffine(source, layout, rows, columns, packed);
  return { packed, values: affineReference(source), sizes: partSizes(source) };
}

/** Only the packed form of what `weights` gives. */
export function packedWeights(layout: Layout, rows: number, columns: number, next: () => number): Uint8Array {
  const packed = new Uint8Array(matrixBytes(layout, rows, columns));
  if (layout === 'f32') packFloats(floats(rows * columns, next), rows, columns, new Float32Array(packed.buffer));
  else packAffine(affine(layout, rows, columns, next, 'normal'), layout, rows, columns, packed);
  return packed;
}

function partSizes({ group, bits, q, scale, min }: AffineRows): Float64Array {
  const sizes = new Float64Array(q.length);
  for (let i = 0; i < sizes.length; i++) {
    const s = Math.abs(scale[Math.floor(i / group)] ?? 0);
    const m = Math.abs(min[Math.floor(i / group)] ?? 0);
    // Eight-bit numbers lie with 128 added, and the minimum takes it back.
    sizes[i] = bits === 4 ? s * (q[i] ?? 0) + m : s * ((q[i] ?? 0) + 256) + m;
  }
  return sizes;
}

/** Rows as a layout can hold them, with scales and minima that are rounded already. */
function affine(layout: PackedLayout, rows: number, columns: number, next: () => number, fill: Fill): AffineRows {
  const { bits, group, minima } = forms[layout];
  const count = rows * columns;
  const scale = floats(count / group, next, fill);
  const min = floats(count / group, next, fill);
  for (let r = 0; r < rows; r++) {
    const row = (part: Float32Array) => part.subarray((r * columns) / group, ((r + 1) * columns) / group);
    roundRow(minima ? [row(scale), row(min)] : [row(scale)]);
  }
  if (!minima) for (const [i, s] of scale.entries()) min[i] = bits === 4 ? -8 * s : 0;
  if (bits === 4) return { bits, group, q: Uint8Array.from(ints(count, next, 0, 16)), scale, min };
  return { bits, group, q: Int8Array.from(ints(count, next, -128, 128)), scale, min };
}

/** Rounds to half precision under the smallest power of two that lets the largest be a half. */
function roundRow(parts: readonly Float32Array[]): void {
  const half = new DataView(new ArrayBuffer(2));
  let factor = 2 ** -126;
  const largest = Math.max(...parts.map((part) => Math.max(...part.map(Math.abs))));
  while (largest / factor > 65504) factor *= 2;
  for (const part of parts) {
    for (const [i, value] of part.entries()) {
      half.setFloat16(0, value / factor);
      part[i] = half.getFloat16(0) * factor;
    }
  }
}

/** Random activations of n rows in 8 bits. */
export interface QuantizedRows {
  /** As they lie in device memory: [columns / 32, n, 32] and [columns / 32, n, 4]. */
  readonly q: Uint8Array;
  readonly meta: Float32Array;
  /** The numbers they stand for, [n, columns]. */
  readonly values: Float64Array;
}

export function quantizedRows(n: number, columns: number, next: () => number, fill: Fill = 'normal'): QuantizedRows {
  const q = Int8Array.from(ints(n * columns, next, -127, 128));
  const scales = floats((n * columns) / 32, next, fill).map(Math.abs);
  const meta = new Float32Array(4 * scales.length);
  for (const [i, scale] of scales.entries()) {
    const sum = (from: number, to: number) => q.subarray(32 * i + from, 32 * i + to).reduce((a, b) => a + b, 0);
    meta.set([scale, scale * sum(0, 32), scale * sum(0, 16), scale * sum(16, 32)], 4 * i);
  }
  const values = Float64Array.from({ length: n * columns }, (_, i) => {
    const [t, c] = [Math.floor(i / columns), i % columns];
    const group = (c >> 5) * n + t;
    return (q[32 * group + (c & 31)] ?? Number.NaN) * (scales[group] ?? Number.NaN);
  });
  return { q: new Uint8Array(q.buffer), meta, values };
}

/** Row `t` of n alone, as it would lie in device memory. */
export function oneRow({ q, meta }: QuantizedRows, n: number, t: number): Omit<QuantizedRows, 'values'> {
  const groups = q.length / 32 / n;
  return {
    q: Uint8Array.from({ length: groups * 32 }, (_, i) => q[32 * ((i >> 5) * n + t) + (i & 31)] ?? 0),
    meta: Float32Array.from({ length: groups * 4 }, (_, i) => meta[4 * ((i >> 2) * n + t) + (i & 3)] ?? Number.NaN),
  };
}
