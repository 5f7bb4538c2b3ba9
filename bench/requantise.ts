import { createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { dequantize } from '../packages/engine/format/blocks.ts';
import { readGguf } from '../packages/engine/format/gguf-read.ts';
import { writeGguf } from '../packages/engine/format/gguf-write.ts';
import { quantize } from '../packages/engine/format/quantize.ts';
import { copyOf, type TensorData } from '../packages/engine/format/tensor-data.ts';
import type { StoredTensor } from '../packages/engine/format/types.ts';
import { openFile } from '../packages/engine/platform/node-file.ts';
import { cacheFolder } from './places.ts';

/** Copies that are made or being made. */
const copies = new Map<string, Promise<string>>();

/**
 * A copy of a GGUF file whose layers hold their matrices in Q4_0, the format that llama.cpp repacks for the processor; kept
 * in bench/.cache. Embedding and output stay as they are.
 */
export function requantised(path: string): Promise<string> {
  const copy = copies.get(path) ?? requantise(path);
  copies.set(path, copy);
  return copy;
}

async function requantise(path: string): Promise<string> {
  const folder = cacheFolder;
  const copy = join(folder, `${basename(path, '.gguf')}.to-Q4_0.gguf`);
  if (existsSync(copy) && statSync(copy).mtimeMs > statSync(path).mtimeMs) return copy;
  process.stderr.write('bench: requantising the layers to Q4_0 …\n');
  mkdirSync(folder, { recursive: true });
  const source = await openFile(path);
  try {
    const { values, tensors } = await readGguf(source);
    const content = {
      values,
      tensors: Array.from(tensors.values(), (tensor) => (isLayerMatrix(tensor) ? inQ4_0(tensor) : copyOf(tensor))),
    };
    await pipeline(Readable.from(writeGguf(content)), createWriteStream(`${copy}.partial`));
    renameSync(`${copy}.partial`, copy);
  } finally {
    await source.close();
  }
  return copy;
}

const isLayerMatrix = ({ name, shape }: StoredTensor) =>
  name.startsWith('blk.') && shape.length === 2 && (shape[1] ?? 0) % 32 === 0;

function inQ4_0({ name, type, shape, source, offset, byteLength }: StoredTensor): TensorData {
  const count = shape.reduce((product, size) => product * size, 1);
  async function* data() {
    yield quantize('Q4_0', dequantize(type, await source.read(offset, byteLength), count));
  }
  return { name, type: 'Q4_0', shape, data };
}
