import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listModels, type Model, memorySource, readGguf } from 'loci';
import { inModel } from '../methods/in-session.ts';

type Tensors = Awaited<ReturnType<typeof readGguf>>['tensors'];

/**
 * Runs something with a copy of a bundled model whose bytes were changed; undefined where there is no such file, or where
 * `change` says that it cannot.
 */
export async function withChangedModel<T>(
  name: string,
  change: (bytes: Uint8Array, tensors: Tensors) => boolean,
  work: (model: Model) => Promise<T>,
): Promise<T | undefined> {
  const listed = (await listModels()).find((one) => one.name === name && one.kind === 'gguf');
  if (!listed) return undefined;
  const bytes = new Uint8Array(await readFile(listed.path));
  const { tensors } = await readGguf(memorySource(bytes, listed.path));
  if (!change(bytes, tensors)) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'loci-changed-'));
  try {
    const path = join(folder, 'changed.gguf');
    await writeFile(path, bytes);
    return await inModel(path, {}, work);
  } finally {
    await rm(folder, { recursive: true });
  }
}
