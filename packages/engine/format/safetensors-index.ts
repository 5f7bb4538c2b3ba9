/** A model in several safetensors files: `model.safetensors.index.json` says which file holds which tensor. */
import { LociError } from '../errors.ts';
import type { ByteSource } from '../platform/types.ts';
import { countMembers, isRecord, memberCount } from './json-members.ts';
import { readSafetensors, type SafetensorsFile } from './safetensors-read.ts';
import type { StoredTensor } from './types.ts';

export interface ShardedSafetensors extends SafetensorsFile {
  /** The files, in the order of the index; the caller closes them. */
  readonly shards: readonly ByteSource[];
}

const indexLimit = 100_000_000;

/**
 * Reads an index and the headers of all its files.
 * @param open opens a file that lies beside the index; it is only given plain file names.
 * @throws LociError `bad-file` when the index is damaged, names a file outside its folder, or does not agree with the
 * files; whatever `open` throws. All opened files are closed then.
 */
export async function readShardedSafetensors(
  index: ByteSource,
  open: (file: string) => Promise<ByteSource>,
): Promise<ShardedSafetensors> {
  const places = await readIndex(index);
  const shards: ByteSource[] = [];
  try {
    const metadata = new Map<string, string>();
    const tensors = new Map<string, StoredTensor>();
    const skipped = new Map<string, string>();
    for (const file of new Set(places.values())) {
      const source = await open(file);
      shards.push(source);
      const shard = await readSafetensors(source);
      for (const [key, value] of shard.metadata) metadata.set(key, value);
      for (const [name, tensor] of shard.tensors) if (belongs(index, places, name, file)) tensors.set(name, tensor);
      for (const [name, dtype] of shard.skipped) if (belongs(index, places, name, file)) skipped.set(name, dtype);
    }
    for (const [name, file] of places) {
      if (!tensors.has(name) && !skipped.has(name)) throw broken(index, `"${file}" does not hold the tensor "${name}"`);
    }
    return { metadata, tensors, skipped, shards };
  } catch (error) {
    await Promise.all(shards.map((shard) => shard.close()));
    throw error;
  }
}

/** Files may hold tensors that the index leaves out, but not ones that it places elsewhere. */
function belongs(index: ByteSource, places: ReadonlyMap<string, string>, name: string, file: string): boolean {
  const place = places.get(name);
  if (place !== undefined && place !== file)
    throw broken(index, `tensor "${name}" is in "${file}" and not only in "${place}"`);
  return place !== undefined;
}

async function readIndex(index: ByteSource): Promise<ReadonlyMap<string, string>> {
  if (index.size > indexLimit)
    throw broken(index, `an index of ${index.size} bytes is too long (limit: ${indexLimit})`);
  const bytes = await index.read(0, index.size);
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (error) {
    throw broken(index, `the index is not JSON (${error instanceof Error ? error.message : error})`, error);
  }
  if (countMembers(text) !== memberCount(parsed)) throw broken(index, 'the index names something twice');
  if (!isRecord(parsed) || !isRecord(parsed['weight_map'])) throw broken(index, 'the index has no "weight_map"');
  const places = new Map<string, string>();
  for (const [name, file] of Object.entries(parsed['weight_map'])) {
    if (typeof file !== 'string' || !isPlainFileName(file)) {
      throw broken(
        index,
        `the index places tensor "${name}" in ${JSON.stringify(file)}, which is not a file beside it`,
      );
    }
    places.set(name, file);
  }
  return places;
}

/** An index from elsewhere must not reach out of its folder. */
function isPlainFileName(file: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/.test(file);
}

function broken(index: ByteSource, reason: string, cause?: unknown): LociError {
  return new LociError('bad-file', `${index.name}: ${reason}`, cause === undefined ? {} : { cause });
}
