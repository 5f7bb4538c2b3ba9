/** A model in one safetensors file, or in several that share out its tensors. */
import { LociError } from '../errors.ts';
import type { ByteSource } from '../platform/types.ts';
import { readSafetensors } from './safetensors-read.ts';
import type { StoredTensor } from './types.ts';

/**
 * The float tensors of all files. `model.safetensors.index.json` is not asked where they are: the headers say it, and
 * cannot be out of date.
 * @param open opens a file; the caller closes it
 * @throws LociError `bad-file` when a tensor is in two files, and what `readSafetensors` and `open` throw.
 */
export async function readShards(
  paths: readonly string[],
  open: (path: string) => Promise<ByteSource>,
): Promise<ReadonlyMap<string, StoredTensor>> {
  const all = new Map<string, StoredTensor>();
  for (const path of paths) {
    const { tensors } = await readSafetensors(await open(path));
    for (const [name, tensor] of tensors) {
      if (all.has(name)) throw new LociError('bad-file', `${path}: tensor "${name}" is in another shard too`);
      all.set(name, tensor);
    }
  }
  return all;
}
