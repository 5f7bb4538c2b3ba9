import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@loci/evaluate';
import { listModels, loadModel, type Model, memorySource, readGguf } from 'loci';

/** Bytes of a block of 32 weights, of which the first are its scale and, where it has one, its minimum. */
const blocks = new Map([
  ['Q4_0', { size: 18, head: 2 }],
  ['Q4_1', { size: 20, head: 4 }],
  ['Q8_0', { size: 34, head: 2 }],
]);

/**
 * Runs something with a bundled model whose matrices are random: every number of 4 or 8 bits is drawn anew, scales and minima stay, so
 * that magnitudes are those of the trained one. Undefined for a model that has no such file.
 */
export async function withRandomWeights<T>(
  name: string,
  seed: number,
  work: (model: Model) => Promise<T>,
): Promise<T | undefined> {
  const listed = (await listModels()).find((one) => one.name === name && one.kind === 'gguf');
  if (!listed) return undefined;
  const bytes = new Uint8Array(await readFile(listed.path));
  const { tensors } = await readGguf(memorySource(bytes, listed.path));
  const random = new Random(`random weights ${seed}`);
  for (const { type, offset, byteLength, shape } of tensors.values()) {
    if (shape.length < 2) continue;
    const block = blocks.get(type);
    if (!block) return undefined;
    const drawn = new Uint8Array(
      Uint32Array.from({ length: byteLength / 4 + 1 }, () => random.integer(0, 0xffffffff)).buffer,
    );
    for (let at = 0; at < byteLength; at += block.size) {
      bytes.set(drawn.subarray(at + block.head, at + block.size), offset + at + block.head);
    }
  }
  const folder = await mkdtemp(join(tmpdir(), 'loci-random-'));
  try {
    const path = join(folder, 'random.gguf');
    await writeFile(path, bytes);
    const model = await loadModel(path);
    try {
      return await work(model);
    } finally {
      await model.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}
