/**
 * Reads the header of a GGUF file, versions 2 and 3 (ggml, `docs/gguf.md`), by ranges. Nothing that the header claims is
 * believed before it is compared with the length of the file.
 */
import { LociError } from '../errors.ts';
import type { ByteSource } from '../platform/types.ts';
import { tensorBytes } from './block-types.ts';
import {
  defaultAlignment,
  foreignTensorTypes,
  type GgufArray,
  type GgufValue,
  ggufMagic,
  plainValue,
  tensorTypes,
  type ValueType,
  valueBytes,
  valueTypes,
} from './gguf-types.ts';
import { HeaderCursor } from './header-cursor.ts';
import { type StringTable, StringTableBuilder } from './string-table.ts';
import type { MetadataValue, StoredTensor, TensorType } from './types.ts';

export interface GgufFile {
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** The same with the types of the file, for a copy that must keep them. */
  readonly values: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Tensors start at multiples of it. */
  readonly alignment: number;
}

/** Length of a key or tensor name in bytes (specification: 2^16 − 1). */
const nameLimit = 65535;
const dimensionLimit = 4;
/** Arrays in arrays are allowed by the format and used by nobody; enough to read what a test would write. */
const depthLimit = 4;
const nestedLimit = 65536;

/**
 * Reads metadata and the list of tensors; tensor data stays in the file.
 * @throws LociError `bad-file`, with the offset, for anything that is not a whole, consistent GGUF file; `unsupported` for
 * a tensor in a format that Loci does not compute with.
 */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const cursor = new HeaderCursor(source);
  await cursor.fill(24, 'the header');
  checkMagic(cursor);
  const tensorCount = cursor.count(32, 'the list of tensors');
  const valueCount = cursor.count(13, 'the metadata');
  const values = await readMetadata(cursor, valueCount);
  const alignment = alignmentOf(cursor, values);
  const entries = await readTensorList(cursor, tensorCount, alignment);
  const tensors = placeTensors(source, entries, Math.ceil(cursor.offset / alignment) * alignment);
  const metadata = new Map(Array.from(values, ([key, value]) => [key, plainValue(value)]));
  return { metadata, values, tensors, alignment };
}

function checkMagic(cursor: HeaderCursor): void {
  if (cursor.u32() !== ggufMagic) throw cursor.error('this is not a GGUF file: it does not start with "GGUF"', 0);
  const version = cursor.u32();
  if (version === 2 || version === 3) return;
  if (version !== 0 && (version & 0xffff) === 0)
    throw cursor.error('a big-endian GGUF file: convert it to little-endian', 4);
  throw cursor.error(`GGUF version ${version} is not known: versions 2 and 3 are`, 4);
}

async function readMetadata(cursor: HeaderCursor, count: number): Promise<Map<string, GgufValue>> {
  const values = new Map<string, GgufValue>();
  const nesting = { arrays: 0 };
  for (let i = 0; i < count; i++) {
    const start = cursor.offset;
    const key = await readName(cursor, 'a metadata key');
    if (values.has(key)) throw cursor.error(`the metadata key "${key}" is there twice`, start);
    await cursor.fill(4, `the type of "${key}"`);
    const type = valueType(cursor, `"${key}"`);
    values.set(key, await readValue(cursor, type, `"${key}"`, nesting));
  }
  return values;
}

async function readName(cursor: HeaderCursor, what: string): Promise<string> {
  await cursor.fill(8, what);
  const start = cursor.offset;
  const length = cursor.count(1, what);
  if (length > nameLimit) throw cursor.error(`${what} of ${length} bytes is too long`, start);
  await cursor.fill(length, what);
  return cursor.text(length, what);
}

function valueType(cursor: HeaderCursor, what: string): ValueType {
  const start = cursor.offset;
  const id = cursor.u32();
  const type = valueTypes[id];
  if (type === undefined) throw cursor.error(`${what} has the unknown value type ${id}`, start);
  return type;
}

async function readValue(
  cursor: HeaderCursor,
  type: ValueType,
  what: string,
  nesting: { arrays: number },
): Promise<GgufValue> {
  await cursor.fill(valueBytes[type], what);
  switch (type) {
    case 'array':
      return readArray(cursor, what, 1, nesting);
    case 'string': {
      const length = cursor.count(1, what);
      await cursor.fill(length, what);
      return { type, value: cursor.text(length, what) };
    }
    case 'bool':
      return { type, value: readBool(cursor, what) };
    case 'u64':
    case 'i64':
      return { type, value: narrowed(type === 'u64' ? cursor.u64() : BigInt.asIntN(64, cursor.u64())) };
    default: {
      const [value = 0] = numbers(type, cursor.copy(valueBytes[type]));
      return { type, value };
    }
  }
}

/** Specification: "0 is false and 1 is true, anything else is invalid". */
function readBool(cursor: HeaderCursor, what: string): boolean {
  const start = cursor.offset;
  const byte = cursor.u8();
  if (byte > 1) throw cursor.error(`${what} is a boolean with the value ${byte}`, start);
  return byte === 1;
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

async function readArray(
  cursor: HeaderCursor,
  what: string,
  depth: number,
  nesting: { arrays: number },
): Promise<GgufArray> {
  const start = cursor.offset;
  if (depth > depthLimit) throw cursor.error(`${what} has arrays nested deeper than ${depthLimit}`, start);
  await cursor.fill(12, what);
  const of = valueType(cursor, what);
  const count = cursor.count(valueBytes[of], what);
  switch (of) {
    case 'string':
      return { type: 'array', of, value: await readStrings(cursor, count, what) };
    case 'array': {
      nesting.arrays += count;
      if (nesting.arrays > nestedLimit) throw cursor.error(`${what} has more than ${nestedLimit} arrays`, start);
      const value: GgufArray[] = [];
      for (let i = 0; i < count; i++) value.push(await readArray(cursor, what, depth + 1, nesting));
      return { type: 'array', of, value };
    }
    case 'bool': {
      await cursor.fill(count, what);
      const value: boolean[] = [];
      for (let i = 0; i < count; i++) value.push(readBool(cursor, what));
      return { type: 'array', of, value };
    }
    case 'u64':
    case 'i64': {
      await cursor.fill(8 * count, what);
      const bytes = cursor.copy(8 * count);
      return { type: 'array', of, value: wideNumbers(of === 'u64' ? bigUnsigned(bytes) : bigSigned(bytes)) };
    }
    default: {
      await cursor.fill(valueBytes[of] * count, what);
      return { type: 'array', of, value: numbers(of, cursor.copy(valueBytes[of] * count)) };
    }
  }
}

async function readStrings(cursor: HeaderCursor, count: number, what: string): Promise<StringTable> {
  const start = cursor.offset;
  const strings = new StringTableBuilder(count);
  for (let missing = cursor.takeStrings(strings, what); missing > 0; missing = cursor.takeStrings(strings, what)) {
    await cursor.fill(missing, what);
  }
  const table = strings.table();
  const broken = table.firstInvalid();
  // Each text follows its length, of eight bytes.
  if (broken >= 0) throw cursor.error(`${what} is not valid UTF-8`, start + table.starts[broken]! + 8 * (broken + 1));
  return table;
}

const bigUnsigned = (bytes: Uint8Array<ArrayBuffer>) => new BigUint64Array(bytes.buffer);
const bigSigned = (bytes: Uint8Array<ArrayBuffer>) => new BigInt64Array(bytes.buffer);

function wideNumbers(values: BigUint64Array | BigInt64Array): readonly number[] | readonly bigint[] {
  const narrow = Array.from(values, Number);
  return narrow.every(Number.isSafeInteger) ? narrow : Array.from(values);
}

/** Views bytes as the smallest kind of array that metadata knows for their type. */
function numbers(
  type: Exclude<ValueType, 'array' | 'string' | 'bool' | 'u64' | 'i64'>,
  bytes: Uint8Array<ArrayBuffer>,
) {
  const { buffer } = bytes;
  switch (type) {
    case 'u8':
      return bytes;
    case 'i8':
      return Int32Array.from(new Int8Array(buffer));
    case 'u16':
      return Uint32Array.from(new Uint16Array(buffer));
    case 'i16':
      return Int32Array.from(new Int16Array(buffer));
    case 'u32':
      return new Uint32Array(buffer);
    case 'i32':
      return new Int32Array(buffer);
    case 'f32':
      return new Float32Array(buffer);
    case 'f64':
      return Array.from(new Float64Array(buffer));
  }
}

function alignmentOf(cursor: HeaderCursor, values: ReadonlyMap<string, GgufValue>): number {
  const alignment = values.get('general.alignment');
  if (alignment === undefined) return defaultAlignment;
  const { type, value } = alignment;
  if (type !== 'u32' || value === 0 || (value & (value - 1)) !== 0) {
    const found = type === 'array' ? 'an array' : `${value} (${type})`;
    throw cursor.error(`"general.alignment" is ${found}, and must be a power of two (u32)`);
  }
  return value;
}

interface TensorEntry {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** From the start of the tensor data. */
  readonly offset: number;
  /** Where the entry stands in the header. */
  readonly at: number;
}

async function readTensorList(cursor: HeaderCursor, count: number, alignment: number): Promise<readonly TensorEntry[]> {
  const names = new Set<string>();
  const entries: TensorEntry[] = [];
  for (let i = 0; i < count; i++) {
    const at = cursor.offset;
    const name = await readName(cursor, `the name of tensor ${i}`);
    if (names.has(name)) throw cursor.error(`there are two tensors named "${name}"`, at);
    names.add(name);
    entries.push(await readTensorEntry(cursor, name, at, alignment));
  }
  return entries;
}

async function readTensorEntry(
  cursor: HeaderCursor,
  name: string,
  at: number,
  alignment: number,
): Promise<TensorEntry> {
  const what = `tensor "${name}"`;
  await cursor.fill(4, what);
  const dimensions = cursor.u32();
  if (dimensions < 1 || dimensions > dimensionLimit) {
    throw cursor.error(`${what} has ${dimensions} dimensions, and 1 to ${dimensionLimit} are possible`, at);
  }
  await cursor.fill(8 * dimensions + 12, what);
  const shape: number[] = [];
  // GGUF lists the contiguous dimension first, Loci last.
  for (let d = 0; d < dimensions; d++) {
    const size = cursor.u64();
    if (size === 0n || size > Number.MAX_SAFE_INTEGER) throw cursor.error(`${what} has a dimension of ${size}`, at);
    shape.unshift(Number(size));
  }
  const id = cursor.u32();
  const type = tensorTypes.get(id);
  if (type === undefined) {
    const foreign = foreignTensorTypes.get(id);
    if (foreign === undefined) throw cursor.error(`${what} has the unknown type ${id}`, at);
    const { message } = cursor.error(`${what} is stored as ${foreign}, which Loci does not compute with`, at);
    throw new LociError(
      'unsupported',
      `${message}: take a file of the same model in ${[...tensorTypes.values()].join(', ')}`,
    );
  }
  const byteLength = tensorBytes(type, shape);
  if (typeof byteLength === 'string') throw cursor.error(`${what}: ${byteLength}`, at);
  const offset = cursor.u64();
  if (offset % BigInt(alignment) !== 0n) {
    throw cursor.error(`${what} starts at ${offset} of the data, which is not a multiple of ${alignment}`, at);
  }
  return { name, type, shape, byteLength, offset: Number(offset), at };
}

/** Gives tensors their places in the file. @throws LociError `bad-file` when they leave it or overlap. */
function placeTensors(
  source: ByteSource,
  entries: readonly TensorEntry[],
  dataStart: number,
): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const { name, type, shape, byteLength, offset, at } of entries) {
    if (dataStart + offset + byteLength > source.size) {
      const range = `bytes ${dataStart + offset} to ${dataStart + offset + byteLength}`;
      const reason = `tensor "${name}" lies at ${range}, but the file ends at ${source.size} (is it cut short?)`;
      throw new LociError('bad-file', `${source.name}: at byte ${at}: ${reason}`);
    }
    tensors.set(name, { name, type, shape, offset: dataStart + offset, byteLength, source });
  }
  const sorted = [...tensors.values()].sort((a, b) => a.offset - b.offset);
  for (const [i, { name, offset, byteLength }] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next && offset + byteLength > next.offset) {
      throw new LociError(
        'bad-file',
        `${source.name}: at byte ${next.offset}: tensors "${name}" and "${next.name}" overlap`,
      );
    }
  }
  return tensors;
}
