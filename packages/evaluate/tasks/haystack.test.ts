import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { haystackOf, passage, plant, sentences, texts } from './haystack.ts';
import { flatten } from './marked.ts';

test('line breaks are no ends of sentences, nor are abbreviations', () => {
  const text = 'Mr. Starbuck, the mate,\nwas a long man.\n\nHe said: "Aye!" Then J. Doe left. Did he';
  expect(sentences(text)).toEqual([
    'Mr. Starbuck, the mate, was a long man.',
    'He said: "Aye!"',
    'Then J. Doe left.',
    'Did he',
  ]);
});

test('the sentences of a text, joined, are its words', () => {
  for (const name of texts) {
    const { sentences: found, between } = haystackOf(name);
    expect(found.length).toBeGreaterThan(500);
    expect(sentences(found.join(between))).toEqual(found);
    const words = found.join(' ').split(' ').length;
    expect(words / found.length).toBeGreaterThan(10);
    expect(words / found.length).toBeLessThan(50);
  }
});

test('a needle stands between two sentences, at its depth', () => {
  const text = ['A.', 'B.', 'C.', 'D.'];
  const at = (depth: number) => flatten(plant(text, [{ depth, text: 'N.' }], ' ')).text;
  expect([0, 0.3, 0.5, 1].map(at)).toEqual(['N. A. B. C. D.', 'A. N. B. C. D.', 'A. B. N. C. D.', 'A. B. C. D. N.']);
  const both = [0.7, 0.3].map((depth) => ({ depth, text: `${depth}` }));
  expect(flatten(plant(text, both, ' ')).text).toBe('A. 0.3 B. C. 0.7 D.');
  const uneven = ['A.', 'A long sentence, four times as long.', 'C.'];
  expect(flatten(plant(uneven, [{ depth: 0.6, text: 'N.' }], ' ')).text).toBe(`${uneven.slice(0, 2).join(' ')} N. C.`);
});

property.prop([fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 40 })])(
  'a passage has as many words as asked for, and goes round',
  (start, words) => {
    const haystack = { name: 'a', sentences: ['a b c.', 'D e.', 'F.', 'G h i j.'], between: ' ' };
    const found = passage(haystack, start, words).join(' ').split(' ');
    const all = [...haystack.sentences.slice(start), ...haystack.sentences.slice(0, start)].join(' ').split(' ');
    expect(found).toEqual(Array.from({ length: words }, (_, i) => all[i % all.length]));
  },
);
