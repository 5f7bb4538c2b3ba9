import type { TensorType } from './types.ts';

export type FloatType = 'F32' | 'F16' | 'BF16';
/** The formats that store small integers with scales per block. */
export type BlockType = Exclude<TensorType, FloatType>;

export function isFloatType(type: TensorType): type is FloatType {
  return type === 'F32' || type === 'F16' || type === 'BF16';
}

export interface BlockShape {
  /** Consecutive elements of a row that are stored together. */
  readonly elements: number;
  /** What they take. */
  readonly bytes: number;
}

/** How every element format groups its elements (ggml, `ggml-common.h`); floats are blocks of one. */
export const blockShapes: Readonly<Record<TensorType, BlockShape>> = {
  F32: { elements: 1, bytes: 4 },
  F16: { elements: 1, bytes: 2 },
  BF16: { elements: 1, bytes: 2 },
  Q4_0: { elements: 32, bytes: 18 },
  Q4_1: { elements: 32, bytes: 20 },
  Q5_0: { elements: 32, bytes: 22 },
  Q5_1: { elements: 32, bytes: 24 },
  Q8_0: { elements: 32, bytes: 34 },
  Q2_K: { elements: 256, bytes: 84 },
  Q3_K: { elements: 256, bytes: 110 },
  Q4_K: { elements: 256, bytes: 144 },
  Q5_K: { elements: 256, bytes: 176 },
  Q6_K: { elements: 256, bytes: 210 },
  IQ4_NL: { elements: 32, bytes: 18 },
};

/** Bytes of a row-major tensor, or the reason why there can be no such tensor. */
export function tensorBytes(type: TensorType, shape: readonly number[]): number | string {
  const { elements, bytes } = blockShapes[type];
  const columns = shape.at(-1) ?? 1;
  if (columns % elements !== 0) {
    return `its rows of ${columns} are not a whole number of ${type} blocks of ${elements} elements`;
  }
  let count = 1;
  for (const size of shape) count *= size;
  return Number.isSafeInteger(count)
    ? (count / elements) * bytes
    : `its shape ${shape.join(' × ')} has more elements than a file can hold`;
}
