import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configCases, tinyDirectory } from './families/testing/tiny-directory.ts';
import { loadModel, loadTokenizer } from './load.ts';
import { nodePlatform } from './platform/node.ts';
import { openTokenizer } from './session/open-files.ts';
import { SMOLLM2 } from './text/test-vocabularies.ts';

test('of a GGUF file the tokenizer reads the header only', async () => {
  let bytes = 0;
  let open = 0;
  const platform: typeof nodePlatform = {
    ...nodePlatform,
    async open(path) {
      const source = await nodePlatform.open(path);
      open++;
      return {
        ...source,
        read: (offset, length) => {
          bytes += length;
          return source.read(offset, length);
        },
        close: () => {
          open--;
          return source.close();
        },
      };
    },
  };
  const tokenizer = await openTokenizer(platform, { kind: 'gguf', path: SMOLLM2 });
  expect(tokenizer.vocabularySize).toBe(49152);
  expect(bytes).toBeLessThan(5_000_000);
  expect(open).toBe(0);
});

test('of a directory the tokenizer reads neither weights nor config.json', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loci-tokenizer-'));
  try {
    const [one] = configCases;
    if (!one) throw new Error('there are no tiny models');
    for (const [name, data] of await tinyDirectory(one)) {
      writeFileSync(join(folder, name), name === 'tokenizer.json' ? data : 'damaged');
    }
    expect((await loadTokenizer(folder)).vocabularySize).toBeGreaterThan(0);
    await expect(loadModel(folder)).rejects.toMatchObject({ code: 'bad-file' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a tokenizer is that of its model, and is not found where no model is', async () => {
  const [tokenizer, model] = [await loadTokenizer(), await loadModel(undefined, { threads: 1 })];
  const text = 'Call me <|im_end|> Ishmael.';
  for (const special of ['parse', 'text'] as const) {
    expect(tokenizer.encode(text, { special })).toEqual(model.tokenizer.encode(text, { special }));
  }
  await model.close();
  await expect(loadTokenizer('./nowhere.gguf')).rejects.toMatchObject({ code: 'not-found' });
});
