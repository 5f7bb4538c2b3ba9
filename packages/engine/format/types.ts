import type { ByteSource } from '../platform/types.ts';
import type { StringTable } from './string-table.ts';

export type { AffineRows } from '@loci/kernels';

/** Element formats that a weight file can hold. */
export type TensorType =
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'Q4_0'
  | 'Q4_1'
  | 'Q5_0'
  | 'Q5_1'
  | 'Q8_0'
  | 'Q2_K'
  | 'Q3_K'
  | 'Q4_K'
  | 'Q5_K'
  | 'Q6_K'
  | 'IQ4_NL';

export interface TensorInfo {
  readonly name: string;
  readonly type: TensorType;
  /** Row-major, the last dimension contiguous (GGUF's own order is reversed on reading). */
  readonly shape: readonly number[];
  /** Absolute offset of the first byte in the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** A metadata value; integers that do not fit a double exactly stay `bigint`. */
export type MetadataValue = string | number | bigint | boolean | MetadataArray;
export type MetadataArray =
  | StringTable
  | readonly string[]
  | readonly number[]
  | readonly bigint[]
  | readonly boolean[]
  | readonly MetadataArray[]
  | Float32Array
  | Int32Array
  | Uint32Array
  | Uint8Array;

/** A tensor together with the source that holds its bytes (a model may be split over several files). */
export interface StoredTensor extends TensorInfo {
  readonly source: ByteSource;
}
