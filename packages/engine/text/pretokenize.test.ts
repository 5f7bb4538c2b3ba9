import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { forEachWord, type Step } from './pretokenize.ts';
import { findPretokenizer, splitSteps } from './pretokenizers.ts';
import { literalRegex } from './regex.ts';

function words(text: string, steps: readonly Step[]): string[] {
  const found: string[] = [];
  forEachWord(text, steps, (word) => found.push(word));
  return found;
}

const split = (behavior: Extract<Step, { kind: 'split' }>['behavior']): Step[] => [
  { kind: 'split', pattern: literalRegex('-'), behavior },
];

describe('what becomes of a match (the example of the Hugging Face documentation)', () => {
  const text = 'the-final--countdown';
  test.each([
    ['isolated', ['the', '-', 'final', '-', '-', 'countdown']],
    ['removed', ['the', 'final', 'countdown']],
    ['merged-with-previous', ['the-', 'final-', '-', 'countdown']],
    ['merged-with-next', ['the', '-final', '-', '-countdown']],
    ['contiguous', ['the', '-', 'final', '--', 'countdown']],
  ] as const)('%s', (behavior, expected) => {
    expect(words(text, split(behavior))).toEqual(expected);
  });

  test('a run of matches at the end is one contiguous piece', () => {
    expect(words('--a--', split('contiguous'))).toEqual(['--', 'a', '--']);
  });
});

test.prop([fc.string({ unit: fc.constantFrom('a', '-', ' ', '😀') })])('only "removed" loses text', (text) => {
  for (const behavior of ['isolated', 'merged-with-previous', 'merged-with-next', 'contiguous'] as const) {
    expect(words(text, split(behavior)).join('')).toBe(text);
  }
  expect(words(text, split('removed')).join('')).toBe(text.replaceAll('-', ''));
});

test('a match of nothing does not stop the search', () => {
  const steps: Step[] = [{ kind: 'split', pattern: /x*/gu, behavior: 'isolated' }];
  expect(words('😀axxb', steps)).toEqual(['😀a', 'xx', 'b']);
});

test('a later stage sees the end of a piece as the end of the text', () => {
  const steps = splitSteps(findPretokenizer('smollm')?.patterns ?? []);
  // Two blanks before a digit stay together, since the digit was cut off first.
  expect(words('a  1', steps)).toEqual(['a', '  ', '1']);
  expect(words('a  b', steps)).toEqual(['a', ' ', ' b']);
});

test('a space is put before a piece that has none', () => {
  expect(words('a', [{ kind: 'prefix-space' }])).toEqual([' a']);
  expect(words(' a', [{ kind: 'prefix-space' }])).toEqual([' a']);
  expect(words('', [{ kind: 'prefix-space' }])).toEqual([]);
});

describe('ways to cut words, told apart by one text', () => {
  const text = "I'LL pay 1234½ for MyClass...\n\n  don't";
  test.each([
    ['gpt-2', ['I', "'", 'LL', ' pay', ' 1234½', ' for', ' MyClass', '...', '\n\n ', ' don', "'t"]],
    [
      'smollm',
      ['I', "'", 'LL', ' pay', ' ', '1', '2', '3', '4', '½', ' for', ' MyClass', '...', '\n\n ', ' don', "'t"],
    ],
    ['llama-bpe', ['I', "'LL", ' pay', ' ', '123', '4½', ' for', ' MyClass', '...\n\n', ' ', ' don', "'t"]],
    ['qwen2', ['I', "'LL", ' pay', ' ', '1', '2', '3', '4', '½', ' for', ' MyClass', '...\n\n', ' ', ' don', "'t"]],
    ['gpt-4o', ["I'LL", ' pay', ' ', '123', '4½', ' for', ' My', 'Class', '...\n\n', ' ', " don't"]],
    ['deepseek-v3', ['I', "'LL", ' pay', ' ', '123', '4½', ' for', ' MyClass', '...\n\n', ' ', ' don', "'t"]],
  ])('%s', (name, expected) => {
    expect(words(text, splitSteps(findPretokenizer(name)?.patterns ?? []))).toEqual(expected);
  });
});
