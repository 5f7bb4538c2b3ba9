/**
 * The numbers and names of the GGUF file format, versions 2 and 3 (ggml, `docs/gguf.md`).
 */
import type { StringTable } from './string-table.ts';
import type { MetadataValue, TensorType } from './types.ts';

/** "GGUF" as a little-endian word. */
export const ggufMagic = 0x46554747;
/** Where tensors start and lie unless `general.alignment` says otherwise. */
export const defaultAlignment = 32;

/** Value types; the place in the list is the number in the file. */
export const valueTypes = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
] as const;
export type ValueType = (typeof valueTypes)[number];

export type NarrowType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64';
export type WideType = 'u64' | 'i64';

export type GgufArray =
  | { readonly type: 'array'; readonly of: NarrowType; readonly value: NumberArray }
  | { readonly type: 'array'; readonly of: WideType; readonly value: readonly number[] | readonly bigint[] }
  | { readonly type: 'array'; readonly of: 'bool'; readonly value: readonly boolean[] }
  | { readonly type: 'array'; readonly of: 'string'; readonly value: StringTable | readonly string[] }
  | { readonly type: 'array'; readonly of: 'array'; readonly value: readonly GgufArray[] };

export type NumberArray = readonly number[] | Uint8Array | Int32Array | Uint32Array | Float32Array;

/** A metadata value with the type it has in the file: programs that read GGUF look for exact types. */
export type GgufValue =
  | { readonly type: NarrowType; readonly value: number }
  | { readonly type: WideType; readonly value: number | bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | GgufArray;

/** The value without its type. */
export function plainValue(value: GgufValue): MetadataValue {
  return value.type === 'array' && value.of === 'array' ? value.value.map(plainArray) : value.value;
}

function plainArray(array: GgufArray): Exclude<MetadataValue, string | number | bigint | boolean> {
  return array.of === 'array' ? array.value.map(plainArray) : array.value;
}

/** Bytes of one value; for strings and arrays the least they can take. */
export const valueBytes: Readonly<Record<ValueType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 8,
  array: 12,
  u64: 8,
  i64: 8,
  f64: 8,
};

/** The numbers of the tensor types that can be computed with (ggml, `enum ggml_type`). */
export const tensorTypeIds: Readonly<Record<TensorType, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q2_K: 10,
  Q3_K: 11,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  IQ4_NL: 20,
  BF16: 30,
};

const isTensorType = (name: string): name is TensorType => name in tensorTypeIds;

export const tensorTypes: ReadonlyMap<number, TensorType> = new Map(
  Object.keys(tensorTypeIds)
    .filter(isTensorType)
    .map((name) => [tensorTypeIds[name], name]),
);

/** Tensor types that exist (or existed) elsewhere: a file that has one is not broken, only not for us. */
export const foreignTensorTypes: ReadonlyMap<number, string> = new Map([
  [4, 'Q4_2'],
  [5, 'Q4_3'],
  [9, 'Q8_1'],
  [15, 'Q8_K'],
  [16, 'IQ2_XXS'],
  [17, 'IQ2_XS'],
  [18, 'IQ3_XXS'],
  [19, 'IQ1_S'],
  [21, 'IQ3_S'],
  [22, 'IQ2_S'],
  [23, 'IQ4_XS'],
  [24, 'I8'],
  [25, 'I16'],
  [26, 'I32'],
  [27, 'I64'],
  [28, 'F64'],
  [29, 'IQ1_M'],
  [31, 'Q4_0_4_4'],
  [32, 'Q4_0_4_8'],
  [33, 'Q4_0_8_8'],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
  [36, 'IQ4_NL_4_4'],
  [37, 'IQ4_NL_4_8'],
  [38, 'IQ4_NL_8_8'],
  [39, 'MXFP4'],
  [40, 'NVFP4'],
  [41, 'Q1_0'],
]);
