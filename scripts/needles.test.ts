import { readFileSync } from 'node:fs';
import { loadModel } from 'loci';
import { expect, test } from 'vitest';
import { noteOn, plant, question, sentences } from './needles.ts';

test('line breaks are no ends of sentences, nor are abbreviations', () => {
  const text = 'Mr. Starbuck, the mate,\nwas a long man.\n\nHe said: "Aye!" Then J. Doe left. Did he';
  expect(sentences(text)).toEqual([
    'Mr. Starbuck, the mate, was a long man.',
    'He said: "Aye!"',
    'Then J. Doe left.',
    'Did he',
  ]);
});

test('a needle stands between two sentences, at its depth', () => {
  const text = ['A.', 'B.', 'C.', 'D.'];
  expect([0, 0.3, 0.5, 1].map((depth) => plant(text, 'N.', depth))).toEqual([
    'N. A. B. C. D.',
    'A. N. B. C. D.',
    'A. B. N. C. D.',
    'A. B. C. D. N.',
  ]);
});

test('a question fills its length with whole sentences, and hides its answer deeper from case to case', async () => {
  const model = await loadModel(undefined, { threads: 1 });
  const text = sentences(readFileSync(new URL('../data/state-of-the-union-1904.txt', import.meta.url), 'utf8'));
  const depths: number[] = [];
  for (let which = 0; which < 8; which++) {
    const { prompt, answer } = question(model, text, 2048, which);
    const tokens = model.tokenizer.encode(prompt, { special: 'parse' }).length;
    expect(tokens).toBeLessThanOrEqual(2048 - 20);
    expect(tokens).toBeGreaterThan(2048 - 20 - 250);
    expect(prompt.split(answer)).toHaveLength(2);
    expect(prompt).toMatch(/[.?!"] One of the special magic numbers for \w+ is: \d{7}\. [A-Z]/);
    depths.push(prompt.indexOf(answer) / prompt.length);
  }
  for (const [which, depth] of depths.entries()) expect(Math.abs(depth - (which + 0.5) / 8)).toBeLessThan(0.12);
  await model.close();
});

test('the note tells how many misses float32 finds', () => {
  expect(noteOn([], 80)).toBe('none of 80 missed');
  const note = noteOn([{ foundInFloat32: true }, { foundInFloat32: false }, { foundInFloat32: true }], 80);
  expect(note).toMatch(/^3 of 80 missed; asked again .* finds 2 of them$/);
});
