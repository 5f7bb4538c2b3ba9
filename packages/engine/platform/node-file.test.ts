import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memorySource } from '../format/memory-source.ts';
import { openFile } from './node-file.ts';

const content = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);
let folder = '';
let path = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loci-node-file-'));
  path = join(folder, 'content');
  await writeFile(path, content);
});
afterAll(() => rm(folder, { recursive: true }));

test('any range of a file is the same as of memory, and what lies outside is refused', async () => {
  const sources = [await openFile(path), memorySource(content, 'memory')];
  expect(sources.map(({ size }) => size)).toEqual([1000, 1000]);
  const place = fc.oneof(fc.integer({ min: -1, max: 1001 }), fc.constantFrom(0.5, Number.NaN, 2 ** 53, Infinity));
  await fc.assert(
    fc.asyncProperty(place, place, async (offset, length) => {
      const inside = offset >= 0 && length >= 0 && offset + length <= 1000 && offset % 1 === 0 && length % 1 === 0;
      for (const source of sources) {
        const reading = source.read(offset, length);
        if (inside) expect(await reading).toEqual(content.slice(offset, offset + length));
        else await expect(reading).rejects.toMatchObject({ code: 'bad-file' });
      }
    }),
  );
  for (const source of sources) await source.close();
});

test('what a caller does to bytes it has read does not reach the next', async () => {
  for (const source of [await openFile(path), memorySource(content, 'memory')]) {
    (await source.read(0, 10)).fill(0);
    expect(await source.read(0, 10)).toEqual(content.slice(0, 10));
    await source.close();
  }
});

test('a file that is not there, a folder, and a file cut while it is read are refused by name', async () => {
  const missing = join(folder, 'missing');
  await expect(openFile(missing)).rejects.toMatchObject({
    code: 'not-found',
    message: `${missing}: there is no such file`,
  });
  await expect(openFile(join(path, 'inside'))).rejects.toMatchObject({ code: 'not-found' });
  await expect(openFile(folder)).rejects.toMatchObject({ code: 'bad-file', message: `${folder}: is not a file` });
  const shrinking = join(folder, 'shrinking');
  await writeFile(shrinking, content);
  const source = await openFile(shrinking);
  await truncate(shrinking, 500);
  await expect(source.read(400, 200)).rejects.toThrow('ends at byte 500, expected 1000');
  await source.close();
  await expect(source.read(0, 1)).rejects.toMatchObject({ code: 'bad-file' });
});
