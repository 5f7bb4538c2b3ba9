import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc, test as property } from '@fast-check/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readIds } from './id-file.ts';
import { readText } from './text-file.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loci-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(content: string | Uint8Array): Promise<string> {
  const path = join(folder, 'file');
  await writeFile(path, content);
  return path;
}

property.prop([
  fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text.trim() !== '' && !text.includes('\0')),
])('every UTF-8 text is read as it is, but for a byte order mark', async (text) => {
  expect(await readText(await fileOf(text))).toBe(text.replace(/^\ufeff/, ''));
});

test.each([
  [
    'a byte that is no UTF-8',
    Buffer.from('caf\xe9 au lait', 'latin1'),
    'is not UTF-8 text: byte 3 begins no character',
  ],
  [
    'one behind U+FFFD and a byte order mark',
    Buffer.from([0xef, 0xbb, 0xbf, 0xef, 0xbf, 0xbd, 0xc3]),
    'byte 6 begins no',
  ],
  ['a binary file', Buffer.from([71, 71, 85, 70, 3, 0, 0]), 'is not a text: byte 5 is 0'],
  ['UTF-16', Buffer.from('\ufeffhello', 'utf16le'), 'is UTF-16 text; save it as UTF-8'],
  ['nothing', Buffer.of(), 'is empty'],
  ['white space', Buffer.from(' \n\t'), 'holds nothing but white space'],
])('%s is refused with its place', async (_, content, reason) => {
  const path = await fileOf(content);
  await expect(readText(path)).rejects.toMatchObject({ code: 'bad-file' });
  await expect(readText(path)).rejects.toThrow(`${path}: `);
  await expect(readText(path)).rejects.toThrow(reason);
});

test('a missing file and a directory are told apart', async () => {
  await expect(readText(join(folder, 'none'))).rejects.toMatchObject({ code: 'not-found' });
  await expect(readText(folder)).rejects.toThrow('is a directory; give a text file');
});

test.each([
  ['[1, 2]', 'is not of the form { "ids": [1, 2, …] }'],
  ['{ "ids": [1, -2] }', 'ids[1] is -2; an id is a whole number, 0 or more'],
  ['{ "ids": [1, "2"] }', 'ids[1] is "2"'],
  ['{ "ids": [1.5] }', 'ids[0] is 1.5'],
  ['{ "ids": [] }', 'holds no ids'],
  ['{ "ids": [1', 'is not JSON'],
])('the id file %s is refused', async (content, reason) => {
  const path = await fileOf(content);
  await expect(readIds(path)).rejects.toMatchObject({ code: 'bad-file' });
  await expect(readIds(path)).rejects.toThrow(reason);
});
