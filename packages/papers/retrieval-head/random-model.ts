import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@loci/evaluate';
import { listModels, loadModel, type Model, memorySource, readGguf } from 'loci';

/** Bytes of a block of 32 weights, of which the first are its scale and minimum, in Q4_1. */
const block = { bytes: 20, head: 4 };

/**
 * Runs something with a bundled model whose matrices are random: every 4-bit number is drawn anew, scales and minima stay, so
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
    if (type !== 'Q4_1') {
      if (shape.length > 1) return undefined;
      continue;
    }
    const words = Uint32Array.from({ length: byteLength / 4 }, () => random.integer(0, 0xffffffff));
    const drawn = new Uint8Array(words.buffer);
    for (let at = 0; at < byteLength; at += block.bytes) {
      bytes.set(drawn.subarray(at + block.head, at + block.bytes), offset + at + block.head);
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
