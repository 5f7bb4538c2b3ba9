import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { readGguf } from '../packages/engine/format/gguf-read.ts';
import { writeGguf } from '../packages/engine/format/gguf-write.ts';
import { openFile } from '../packages/engine/platform/node-file.ts';
import { requantised } from './requantise.ts';

test('a file that two engines need at once is requantised once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loci-'));
  const path = join(folder, `${process.pid}.gguf`);
  const made: string[] = [];
  try {
    const tensor = { type: 'F32', shape: [2, 32], data: new Uint8Array(256) } as const;
    const tensors = [
      { name: 'blk.0.x', ...tensor },
      { name: 'y', ...tensor },
    ] as const;
    await pipeline(Readable.from(writeGguf({ values: [], tensors })), createWriteStream(path));
    made.push(...(await Promise.all([requantised(path), requantised(path)])));
    expect(new Set(made).size).toBe(1);
    const copy = await openFile(made[0] ?? '');
    const file = await readGguf(copy);
    expect(Array.from(file.tensors.values(), ({ name, type }) => [name, type])).toEqual([
      ['blk.0.x', 'Q4_0'],
      ['y', 'F32'],
    ]);
    await copy.close();
  } finally {
    for (const one of [folder, ...made]) rmSync(one, { recursive: true, force: true });
  }
});
