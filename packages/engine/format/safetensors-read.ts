/**
 * Reads the header of safetensors files (Hugging Face `safetensors`, "Format"): eight bytes of length, that many bytes of
 * JSON, then the data of the tensors without gaps. Tensor data stays in the file.
 */
import { LociError } from '../errors.ts';
import type { ByteSource } from '../platform/types.ts';
import { countMembers, isRecord, memberCount } from './json-members.ts';
import type { StoredTensor, TensorType } from './types.ts';

export interface SafetensorsFile {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Tensors that are not floats (position counters and masks, mostly), by name, with their element type. */
  readonly skipped: ReadonlyMap<string, string>;
}

/** The limit of the reference implementation. */
const headerLimit = 100_000_000;

const floatTypes: ReadonlyMap<string, TensorType> = new Map([
  ['F32', 'F32'],
  ['F16', 'F16'],
  ['BF16', 'BF16'],
]);

/** Bytes per element of every type of the format whose elements are whole bytes. */
const elementBytes: ReadonlyMap<string, number> = new Map([
  ...['BOOL', 'U8', 'I8', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'].map(
    (name) => [name, 1] as const,
  ),
  ...['U16', 'I16', 'F16', 'BF16'].map((name) => [name, 2] as const),
  ...['U32', 'I32', 'F32'].map((name) => [name, 4] as const),
  ...['U64', 'I64', 'F64', 'C64'].map((name) => [name, 8] as const),
]);

/**
 * Reads the list of tensors of one file.
 * @throws LociError `bad-file` for anything that is not a whole, consistent safetensors file; `unsupported` for a tensor
 * with an element type that is not known, so that its place cannot be checked. Types that are known but not floats do not
 * fail here, since models carry such tensors beside their weights: `floatTensor` refuses them when one is wanted.
 */
export async function readSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const header = await readHeader(source);
  const dataStart = 8 + header.length;
  const metadata = new Map<string, string>();
  const tensors = new Map<string, StoredTensor>();
  const skipped = new Map<string, string>();
  const ranges: Range[] = [];
  for (const [name, value] of Object.entries(header.members)) {
    if (name === '__metadata__') {
      for (const [key, text] of readMetadata(source, value)) metadata.set(key, text);
      continue;
    }
    const { dtype, shape, start, end } = readEntry(source, name, value);
    ranges.push({ name, start, end });
    const type = floatTypes.get(dtype);
    if (type === undefined) skipped.set(name, dtype);
    else tensors.set(name, { name, type, shape, offset: dataStart + start, byteLength: end - start, source });
  }
  checkRanges(source, ranges, dataStart);
  return { metadata, tensors, skipped };
}

/**
 * The tensor of that name.
 * @throws LociError `bad-file` when there is none, `unsupported` when its elements are not floats.
 */
export function floatTensor(
  file: Pick<SafetensorsFile, 'tensors' | 'skipped'>,
  name: string,
  where: string,
): StoredTensor {
  const tensor = file.tensors.get(name);
  if (tensor) return tensor;
  const dtype = file.skipped.get(name);
  if (dtype === undefined) throw new LociError('bad-file', `${where}: there is no tensor "${name}"`);
  throw new LociError(
    'unsupported',
    `${where}: tensor "${name}" is stored as ${dtype}, and only F32, F16 and BF16 can be read`,
  );
}

async function readHeader(source: ByteSource): Promise<{ length: number; members: Readonly<Record<string, unknown>> }> {
  if (source.size < 8) throw broken(source, `the file has ${source.size} bytes, too few for a safetensors header`);
  const first = await source.read(0, 8);
  const claimed = new DataView(first.buffer).getBigUint64(0, true);
  if (claimed > source.size - 8) {
    const bound = `but the file has ${source.size} bytes (is it cut short, or no safetensors file?)`;
    throw broken(source, `the header claims ${claimed} bytes, ${bound}`);
  }
  if (claimed > headerLimit) throw broken(source, `a header of ${claimed} bytes is too long (limit: ${headerLimit})`);
  const length = Number(claimed);
  const text = decode(source, await source.read(8, length));
  const members = parse(source, text);
  if (!isRecord(members)) throw broken(source, 'the header is not a JSON object', 8);
  // JSON.parse keeps the last of two members of the same name, and then the file would mean two things.
  if (countMembers(text) !== memberCount(members)) throw broken(source, 'the header names something twice', 8);
  return { length, members };
}

function decode(source: ByteSource, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw broken(source, 'the header is not valid UTF-8', 8, error);
  }
}

function parse(source: ByteSource, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw broken(source, `the header is not JSON (${error instanceof Error ? error.message : error})`, 8, error);
  }
}

function readMetadata(source: ByteSource, value: unknown): readonly (readonly [string, string])[] {
  if (!isRecord(value)) throw broken(source, '"__metadata__" is not an object of strings', 8);
  return Object.entries(value).map(([key, text]) => {
    if (typeof text !== 'string') throw broken(source, `"__metadata__" has no string for "${key}"`, 8);
    return [key, text];
  });
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the start of the data. */
  readonly start: number;
  readonly end: number;
}

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function readEntry(source: ByteSource, name: string, value: unknown): Entry {
  const what = `tensor "${name}"`;
  if (!isRecord(value)) throw broken(source, `${what} is not described by an object`, 8);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string') throw broken(source, `${what} has no "dtype"`, 8);
  if (!Array.isArray(shape) || !shape.every(isSize)) throw broken(source, `${what} has no "shape" of whole numbers`, 8);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw broken(source, `${what} has no "data_offsets" of two whole numbers`, 8);
  }
  const [start = 0, end = 0] = offsets;
  const size = elementBytes.get(dtype);
  if (size === undefined) {
    throw new LociError(
      'unsupported',
      `${source.name}: tensor "${name}" has the element type ${dtype}, which is not known`,
    );
  }
  const needed = shape.reduce((product, length) => product * length, size);
  if (end - start !== needed) {
    throw broken(
      source,
      `${what} of shape [${shape.join(', ')}] needs ${needed} bytes of ${dtype}, not ${end - start}`,
      8,
    );
  }
  return { dtype, shape, start, end };
}

interface Range {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The data must be covered from its start to the end of the file, each byte once. */
function checkRanges(source: ByteSource, ranges: Range[], dataStart: number): void {
  ranges.sort((a, b) => a.start - b.start || a.end - b.end);
  let at = 0;
  for (const { name, start, end } of ranges) {
    if (start !== at) {
      const problem = start < at ? 'overlaps the tensor before it' : `leaves ${start - at} bytes unused before it`;
      throw broken(source, `tensor "${name}" ${problem}`, dataStart + start);
    }
    at = end;
  }
  const left = source.size - dataStart - at;
  if (left < 0)
    throw broken(source, `the tensors need ${-left} bytes more than the file has: it is cut short`, source.size);
  if (left > 0) throw broken(source, `${left} bytes belong to no tensor`, dataStart + at);
}

function broken(source: ByteSource, reason: string, offset = 0, cause?: unknown): LociError {
  const message = `${source.name}: at byte ${offset}: ${reason}`;
  return new LociError('bad-file', message, cause === undefined ? {} : { cause });
}
