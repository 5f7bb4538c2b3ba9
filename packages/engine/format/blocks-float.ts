import type { AffineRows } from '@loci/kernels';
import { LociError } from '../errors.ts';
import type { FloatType } from './block-types.ts';
import { halfToFloat } from './half.ts';

/** Reads `count` floats into float32, exactly. */
export function readFloats(type: FloatType, bytes: Uint8Array, count: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(count);
  if (type === 'F32') {
    new Uint8Array(out.buffer).set(bytes);
    return out;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === 'F16') {
    for (let i = 0; i < count; i++) out[i] = halfToFloat[view.getUint16(2 * i, true)]!;
  } else {
    const words = new Uint32Array(out.buffer);
    for (let i = 0; i < count; i++) words[i] = view.getUint16(2 * i, true) << 16;
  }
  return out;
}

/** Added to and taken from a double it leaves the nearest integer, ties to even. */
const rounder = 1.5 * 2 ** 52;
/** Scales below the normal floats have too few bits to divide by. */
const smallestScale = 2 ** -126;

/**
 * Rows of floats as 8-bit integers with one scale per 32 columns, symmetric, rounded to nearest: every element differs
 * from the original by at most half a scale (scale = largest magnitude of the 32 / 127, rounded to 11 bits). Groups whose largest magnitude
 * is below 127 · 2^-126 become zeros.
 * @throws LociError `bad-file` for NaN and infinities, which no scale can hold.
 */
export function roundFloats(values: Float32Array<ArrayBuffer>, rows: number, columns: number): AffineRows {
  const groups = (rows * columns) / 32;
  const patterns = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const q = new Int8Array(rows * columns);
  const scale = new Float32Array(groups);
  for (let g = 0; g < groups; g++) {
    const start = g * 32;
    // Without the sign bit float32 patterns are ordered as their magnitudes are, infinity and NaN last.
    let largest = 0;
    for (let i = start; i < start + 32; i++) {
      const magnitude = patterns[i]! & 0x7fffffff;
      if (magnitude > largest) largest = magnitude;
    }
    if (largest >= 0x7f800000) throw notFinite(values, start, columns);
    const s = elevenBits(floatOf(largest) / 127);
    if (s < smallestScale) continue;
    scale[g] = s;
    const inverse = 1 / s;
    for (let i = start; i < start + 32; i++) q[i] = values[i]! * inverse + rounder - rounder;
  }
  return { bits: 8, group: 32, q, scale, min: new Float32Array(groups) };
}

const float = new Float32Array(1);
const pattern = new Uint32Array(float.buffer);

/** The nearest number of 11 bits, which is how much of a scale the kernels keep. */
function elevenBits(value: number): number {
  float[0] = value;
  return floatOf((pattern[0]! + 0x1000) & ~0x1fff);
}

function floatOf(bits: number): number {
  pattern[0] = bits;
  return float[0]!;
}

function notFinite(values: Float32Array, start: number, columns: number): LociError {
  let i = start;
  while (Number.isFinite(values[i])) i++;
  const place = `row ${Math.floor(i / columns)}, column ${i % columns}`;
  return new LociError('bad-file', `${values[i]} at ${place}: the weights are damaged or were never finite`);
}
