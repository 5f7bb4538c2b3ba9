/** Weights out of their file formats: as floats, or as the integers with scales that the kernels multiply with. */
import type { AffineRows } from '@loci/kernels';
import { LociError } from '../errors.ts';
import { type BlockType, blockShapes, isFloatType } from './block-types.ts';
import { readFloats, roundFloats } from './blocks-float.ts';
import * as k from './blocks-k.ts';
import * as legacy from './blocks-legacy.ts';
import { element } from './blocks-reference.ts';
import type { TensorType } from './types.ts';

/**
 * The `count` values of a tensor as float32, exactly as ggml defines them.
 * @throws LociError `bad-file` when `bytes` are not those of `count` elements.
 */
export function dequantize(type: TensorType, bytes: Uint8Array, count: number): Float32Array<ArrayBuffer> {
  checkBytes(type, bytes, count);
  if (isFloatType(type)) return readFloats(type, bytes, count);
  const out = new Float32Array(count);
  const { elements, bytes: blockBytes } = blockShapes[type];
  const value = element[type];
  for (let start = 0, at = 0; start < count; start += elements, at += blockBytes) {
    for (let e = 0; e < elements; e++) out[start + e] = value(bytes, at, e);
  }
  return out;
}

interface Unpacking {
  readonly bits: 4 | 8;
  readonly group: 16 | 32;
  readonly unpack: legacy.Unpack;
}

const unpackings: Readonly<Record<BlockType, Unpacking>> = {
  Q4_0: { bits: 4, group: 32, unpack: legacy.unpackQ4_0 },
  Q4_1: { bits: 4, group: 32, unpack: legacy.unpackQ4_1 },
  Q5_0: { bits: 8, group: 32, unpack: legacy.unpackQ5_0 },
  Q5_1: { bits: 8, group: 32, unpack: legacy.unpackQ5_1 },
  Q8_0: { bits: 8, group: 32, unpack: legacy.unpackQ8_0 },
  IQ4_NL: { bits: 8, group: 32, unpack: legacy.unpackIQ4_NL },
  Q2_K: { bits: 4, group: 16, unpack: k.unpackQ2_K },
  Q3_K: { bits: 4, group: 16, unpack: k.unpackQ3_K },
  Q4_K: { bits: 4, group: 32, unpack: k.unpackQ4_K },
  Q5_K: { bits: 8, group: 32, unpack: k.unpackQ5_K },
  Q6_K: { bits: 8, group: 16, unpack: k.unpackQ6_K },
};

/**
 * A matrix [rows, columns] as integers with a scale and a minimum per group.
 *
 * For block formats this is exact: `scale * q + min`, computed in float64 and rounded to float32, is the very float32 of
 * `dequantize` (error 0), since no product has more than 24 significant bits. Float formats are rounded to 8 bits in
 * groups of 32, each element to within half a scale.
 * @throws LociError `bad-file` when `bytes` are not those of the matrix, when the rows are not whole blocks (32 elements
 * for floats), and for scales or elements that are NaN or infinite.
 */
export function toAffine(type: TensorType, bytes: Uint8Array, rows: number, columns: number): AffineRows {
  const count = rows * columns;
  const needed = isFloatType(type) ? 32 : blockShapes[type].elements;
  if (columns % needed !== 0) {
    throw new LociError(
      'bad-file',
      `rows of ${columns} are not a whole number of ${type} groups of ${needed} elements`,
    );
  }
  checkBytes(type, bytes, count);
  if (isFloatType(type)) return roundFloats(readFloats(type, bytes, count), rows, columns);
  const { bits, group, unpack } = unpackings[type];
  const q = new Uint32Array(count / 4);
  const scale = new Float32Array(count / group);
  const min = new Float32Array(count / group);
  unpack(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), count / needed, { q, scale, min });
  checkFinite(scale, min, group, columns);
  return bits === 4
    ? { bits, group, q: new Uint8Array(q.buffer), scale, min }
    : { bits, group, q: new Int8Array(q.buffer), scale, min };
}

function checkBytes(type: TensorType, bytes: Uint8Array, count: number): void {
  const { elements, bytes: blockBytes } = blockShapes[type];
  if (count % elements !== 0 || bytes.byteLength !== (count / elements) * blockBytes) {
    throw new LociError('bad-file', `${bytes.byteLength} bytes are not ${count} elements of ${type}`);
  }
}

function checkFinite(scale: Float32Array, min: Float32Array, group: number, columns: number): void {
  let g = 0;
  while (g < scale.length && Number.isFinite(scale[g]) && Number.isFinite(min[g])) g++;
  if (g === scale.length) return;
  const at = g * group;
  const place = `row ${Math.floor(at / columns)}, column ${at % columns}`;
  throw new LociError('bad-file', `the block at ${place} has a scale that is not finite: the weights are damaged`);
}
