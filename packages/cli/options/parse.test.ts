import { LociError } from 'loci';
import { expect, test } from 'vitest';
import { choice, flag, number, text, texts, whole } from './option.ts';
import { parse } from './parse.ts';

const table = {
  json: flag('…'),
  model: text('REF', '…'),
  stop: texts('TEXT', '…'),
  threads: whole('N', '…', { min: 1, max: 64 }),
  'top-p': number('P', '…', { min: 0, max: 1 }),
  bias: number('B', '…', { min: -100, max: 100 }),
  store: choice(['f16', 'q8'], '…'),
};
const positionals = [
  { name: 'FILE', help: 'a text' },
  { name: 'QUESTION', help: 'in quotes', optional: true },
];

test('values are of the type of their option, and absent ones undefined, empty or false', () => {
  const args = [
    '--threads',
    '2',
    'a.txt',
    '--top-p=0.5',
    '--bias',
    '-1.5',
    '--store',
    'q8',
    '--stop',
    'x',
    '--stop=-y',
  ];
  expect(parse(args, table, positionals)).toEqual({
    options: {
      json: false,
      model: undefined,
      stop: ['x', '-y'],
      threads: 2,
      'top-p': 0.5,
      bias: -1.5,
      store: 'q8',
    },
    positionals: ['a.txt'],
  });
});

test('behind -- everything is an argument', () => {
  expect(parse(['--', '--json', '-x'], table, positionals)).toMatchObject({
    options: { json: false },
    positionals: ['--json', '-x'],
  });
});

test.each([
  [['--treads', '2'], 'unknown option --treads'],
  [['-t', '2'], 'unknown option -t'],
  [['--no-json'], 'unknown option --no-json'],
  [['--toString'], 'unknown option --toString'],
  [['--json=yes'], '--json takes no value, but "yes" is given'],
  [['--model'], '--model needs a value: REF'],
  [['--model', '--json'], '--model needs a value; for "--json" write --model=--json'],
  [['--model', 'a', '--model', 'b'], '--model is given twice'],
  [['--threads', '0'], '--threads is "0"; it must be a whole number, from 1 to 64'],
  [['--threads', '1.5'], '--threads is "1.5"; it must be a whole number, from 1 to 64'],
  [['--threads', '0x10'], '--threads is "0x10"; it must be a whole number, from 1 to 64'],
  [['--threads='], '--threads is ""; it must be a whole number, from 1 to 64'],
  [['--top-p', '1.1'], '--top-p is "1.1"; it must be a number, from 0 to 1'],
  [['--top-p', 'NaN'], '--top-p is "NaN"; it must be a number, from 0 to 1'],
  [['--top-p', 'Infinity'], '--top-p is "Infinity"; it must be a number, from 0 to 1'],
  [['--store', 'q4'], '--store is "q4"; it must be f16 or q8'],
])('%j is refused by name', (args, message) => {
  expect(() => parse(['a.txt', ...args], table, positionals)).toThrow(LociError);
  expect(() => parse(['a.txt', ...args], table, positionals)).toThrow(
    expect.objectContaining({ code: 'bad-option', message }),
  );
});

test('arguments without a name are as many as are expected', () => {
  expect(() => parse([], table, positionals)).toThrow('FILE is missing: a text');
  expect(() => parse(['a', 'b', 'c'], table, positionals)).toThrow(
    'unexpected argument "c" (several words need quotes',
  );
});
