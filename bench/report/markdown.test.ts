import { expect, test } from 'vitest';
import { finding } from '../outcome.ts';
import { report, summary } from './markdown.ts';
import type { Result } from './result.ts';

const result: Result = {
  suite: 'lengths',
  title: 'Speed',
  date: '2030-01-01',
  revision: 'abc',
  machine: { processor: 'P', cores: 2, memoryBytes: 2 ** 34, node: '24', system: 'linux x64' },
  threads: 2,
  repeats: 5,
  busyProcessors: 0,
  settings: 'Conditions.',
  tables: [{ head: ['prefill', '128 tokens'], rows: [['Loci', '900']] }],
  plots: [{ x: { title: 'n', scale: 'log' }, y: { title: 'ms', scale: 'linear' }, series: [] }],
  findings: [
    finding('prefill', '900 against 800', 1.125, { atLeast: 1 }),
    finding('memory', '9 against 8', 1.125, { atMost: 1 }),
    finding('slow steps', 'none', 0, { atMost: 0 }, ''),
  ],
  data: undefined,
};

test('the report has a line for every target, met or not', () => {
  const text = report([result]);
  expect(text).toContain('| prefill | 900 against 800 | 1.13× | ≥ 1× | yes |');
  expect(text).toContain('| memory | 9 against 8 | 1.13× | ≤ 1× | **no** |');
  expect(text).toContain('| slow steps | none | 0 | ≤ 0 | yes |');
  expect(text).toContain('P, 2 cores, 16 GiB, linux x64, Node 24; 2030-01-01, revision abc.');
});

test('the front page shows the figures by length, and counts the targets', () => {
  const text = summary([result], 'bench/results');
  expect(text).toContain('### Speed');
  expect(text).toContain('![Speed](bench/results/lengths.svg)');
  expect(text).toContain('2 of 3 targets');
  expect(summary([], 'bench/results')).toBe('');
});
