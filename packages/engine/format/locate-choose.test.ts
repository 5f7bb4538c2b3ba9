import { expect, test } from 'vitest';
import { type Candidate, chooseFiles, formatBytes } from './locate-choose.ts';

const files = (...paths: string[]): Candidate[] => paths.map((path, i) => ({ path, bytes: (i + 1) * 1_000_000 }));
const choose = (candidates: Candidate[], file?: string) =>
  chooseFiles(candidates, { where: 'here', file, nameFile: (path) => `here:${path}` });
const companions = ['config.json', 'tokenizer.json'];

test('the only GGUF file is the model, wherever it lies and whatever else is there', () => {
  expect(choose(files('README.md', 'sub/a.gguf'))).toEqual({ kind: 'gguf', path: 'sub/a.gguf' });
  expect(choose(files('a.gguf', 'mmproj-a.gguf', 'x/imatrix.gguf', 'a.imatrix.gguf'))).toMatchObject({
    path: 'a.gguf',
  });
});

test('of several GGUF files one must be named, and the error lists them with their sizes', () => {
  const several = files('a.Q4_0.gguf', 'a.Q8_0.gguf');
  expect(() => choose(several)).toThrow(
    'here has several models; name one of\n  here:a.Q4_0.gguf  (1.0 MB)\n  here:a.Q8_0.gguf  (2.0 MB)',
  );
  expect(choose(several, 'a.Q8_0.gguf')).toEqual({ kind: 'gguf', path: 'a.Q8_0.gguf' });
  expect(() => choose(several, 'a.Q5_0.gguf')).toThrow(/no file a.Q5_0.gguf; it has\n {2}here:a.Q4_0.gguf/);
});

test('safetensors weights come with what lies beside them, shards in order', () => {
  const shards = ['model-00002-of-00002.safetensors', 'model-00001-of-00002.safetensors'];
  expect(choose(files(...shards, ...companions, 'tokenizer_config.json', 'chat_template.jinja'))).toEqual({
    kind: 'safetensors',
    weights: [shards[1], shards[0]],
    config: 'config.json',
    tokenizer: 'tokenizer.json',
    tokenizerConfig: 'tokenizer_config.json',
    chatTemplate: 'chat_template.jinja',
  });
});

test('model.safetensors is preferred to its shards and to other sets; without it several sets are an error', () => {
  const shard = 'model-00001-of-00001.safetensors';
  expect(choose(files('a.safetensors', shard, 'model.safetensors', ...companions))).toMatchObject({
    weights: ['model.safetensors'],
  });
  expect(choose(files('a.safetensors', shard, ...companions))).toMatchObject({ weights: [shard] });
  expect(choose(files('a.safetensors', ...companions))).toMatchObject({ weights: ['a.safetensors'] });
  const two = files('a.safetensors', 'b.safetensors', ...companions);
  expect(() => choose(two)).toThrow(/several sets of weights; name one of\n {2}here:a.safetensors/);
  expect(choose(two, 'b.safetensors')).toMatchObject({ weights: ['b.safetensors'] });
});

test('naming one shard means its whole set', () => {
  const shards = ['a-00001-of-00002.safetensors', 'a-00002-of-00002.safetensors'];
  expect(choose(files('model.safetensors', ...shards, ...companions), shards[1])).toMatchObject({ weights: shards });
});

test('what is missing is named', () => {
  expect(() =>
    choose(files('model-00001-of-00003.safetensors', 'model-00003-of-00003.safetensors', ...companions)),
  ).toThrow('here lacks model-00002-of-00003.safetensors, one of 3 parts');
  expect(() => choose(files('model.safetensors', 'config.json'))).toThrow('here has weights but no tokenizer.json');
  expect(() => choose(files('model.safetensors', 'config.json', 'tokenizer.model'))).toThrow(
    /tokenizer.model is not read/,
  );
});

test('weights without their companions give way to the only GGUF file', () => {
  expect(choose(files('model.safetensors', 'a.gguf'))).toEqual({ kind: 'gguf', path: 'a.gguf' });
  expect(choose(files('model.safetensors', ...companions, 'a.gguf'))).toMatchObject({ kind: 'safetensors' });
});

test('a split GGUF model is refused by name, a "split" into one part is not', () => {
  expect(() => choose(files('a-00001-of-00002.gguf'))).toThrow(/one of 2 parts/);
  expect(choose(files('a-00001-of-00001.gguf'))).toMatchObject({ kind: 'gguf' });
});

test('no weights are no model, and other files cannot be named as one', () => {
  expect(choose(files('README.md'))).toBeUndefined();
  expect(() => choose(files('README.md'), 'README.md')).toThrow(/neither a .gguf nor a .safetensors/);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [98_400_000, '98.4 MB'],
  [999_960, '1000 kB'],
  [123_456_789_000, '123 GB'],
])('%i bytes read %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
