/** Writes GGUF version 3 (ggml, `docs/gguf.md`) piece by piece. */
import { LociError } from '../errors.ts';
import {
  defaultAlignment,
  type GgufArray,
  type GgufValue,
  ggufMagic,
  tensorTypeIds,
  type ValueType,
  valueBytes,
  valueTypes,
} from './gguf-types.ts';
import { dataPieces, type TensorData, tensorLengths } from './tensor-data.ts';

export interface GgufContent {
  /** In the order of the file. `general.alignment` (u32, a power of two) also decides where tensors lie; without it: 32. */
  readonly values: Iterable<readonly [key: string, value: GgufValue]>;
  readonly tensors: readonly TensorData[];
}

/**
 * The bytes of a GGUF file: its header, then every tensor as its data comes.
 * @throws LociError `bad-option` for what the format cannot hold: values outside their type, keys or names that are there
 * twice, tensors of no or more than four dimensions, data that does not fit its shape.
 */
export async function* writeGguf({ values, tensors }: GgufContent): AsyncGenerator<Uint8Array> {
  const metadata = new Map<string, GgufValue>();
  for (const [key, value] of values) {
    if (metadata.has(key)) throw new LociError('bad-option', `the metadata key "${key}" is there twice`);
    metadata.set(key, value);
  }
  const alignment = alignmentOf(metadata);
  const lengths = tensorLengths(tensors);
  const header = headerBytes(metadata, tensors, lengths, alignment);
  yield header;
  yield padding(header.length, alignment);
  for (const [i, tensor] of tensors.entries()) {
    yield* dataPieces(tensor, lengths[i]!);
    yield padding(lengths[i]!, alignment);
  }
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment');
  if (alignment === undefined) return defaultAlignment;
  const { type, value } = alignment;
  if (type === 'u32' && value > 0 && (value & (value - 1)) === 0) return value;
  throw new LociError('bad-option', '"general.alignment" must be a power of two with the type u32');
}

function padding(length: number, alignment: number): Uint8Array {
  return new Uint8Array((alignment - (length % alignment)) % alignment);
}

function headerBytes(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly TensorData[],
  lengths: readonly number[],
  alignment: number,
): Uint8Array {
  const out = new HeaderWriter();
  out.scalar('u32', ggufMagic);
  out.scalar('u32', 3);
  out.scalar('u64', tensors.length);
  out.scalar('u64', metadata.size);
  for (const [key, value] of metadata) {
    out.text(key);
    out.scalar('u32', valueTypes.indexOf(value.type));
    try {
      out.value(value);
    } catch (error) {
      throw error instanceof LociError ? new LociError(error.code, `metadata "${key}": ${error.message}`) : error;
    }
  }
  let offset = 0;
  for (const [i, { name, type, shape }] of tensors.entries()) {
    if (shape.length < 1 || shape.length > 4 || shape.includes(0)) {
      throw new LociError('bad-option', `tensor "${name}" of shape [${shape}]: GGUF holds 1 to 4 dimensions, none 0`);
    }
    out.text(name);
    out.scalar('u32', shape.length);
    for (const size of shape.toReversed()) out.scalar('u64', size);
    out.scalar('u32', tensorTypeIds[type]);
    out.scalar('u64', offset);
    offset += Math.ceil(lengths[i]! / alignment) * alignment;
  }
  return out.bytes();
}

type IntegerType = Exclude<ValueType, 'string' | 'array' | 'f32' | 'f64'>;

const limits: Readonly<Record<IntegerType, readonly [lowest: number | bigint, highest: number | bigint]>> = {
  bool: [0, 1],
  u8: [0, 2 ** 8 - 1],
  i8: [-(2 ** 7), 2 ** 7 - 1],
  u16: [0, 2 ** 16 - 1],
  i16: [-(2 ** 15), 2 ** 15 - 1],
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u64: [0n, 2n ** 64n - 1n],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** Appends little-endian values to a buffer that doubles when it is full. */
class HeaderWriter {
  #bytes = new Uint8Array(2 ** 16);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #encoder = new TextEncoder();

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  text(text: string): void {
    if (!text.isWellFormed()) throw new LociError('bad-option', `${JSON.stringify(text)} is not valid Unicode`);
    const bytes = this.#encoder.encode(text);
    this.scalar('u64', bytes.length);
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  value(value: GgufValue): void {
    if (value.type === 'array') this.#array(value);
    else if (value.type === 'string') this.text(value.value);
    else this.scalar(value.type, value.value);
  }

  #array(array: GgufArray): void {
    this.scalar('u32', valueTypes.indexOf(array.of));
    this.scalar('u64', array.value.length);
    if (array.of === 'array') for (const value of array.value) this.#array(value);
    else if (array.of === 'string') for (const value of array.value) this.text(value);
    else for (const value of array.value) this.scalar(array.of, value);
  }

  scalar(type: Exclude<ValueType, 'string' | 'array'>, value: number | bigint | boolean): void {
    const at = this.#grow(valueBytes[type]);
    if (type === 'f32') this.#view.setFloat32(at, Number(value), true);
    else if (type === 'f64') this.#view.setFloat64(at, Number(value), true);
    else this.#integer(at, type, typeof value === 'boolean' ? Number(value) : value);
  }

  #integer(at: number, type: IntegerType, value: number | bigint): void {
    const [lowest, highest] = limits[type];
    if ((typeof value === 'number' && !Number.isInteger(value)) || value < lowest || value > highest) {
      throw new LociError('bad-option', `${value} is not a ${type}`);
    }
    if (valueBytes[type] === 8) this.#view.setBigInt64(at, BigInt(value), true);
    else if (valueBytes[type] === 4) this.#view.setInt32(at, Number(value), true);
    else if (valueBytes[type] === 2) this.#view.setInt16(at, Number(value), true);
    else this.#view.setInt8(at, Number(value));
  }

  #grow(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
