import { expect, test } from 'vitest';
import { judge } from './line.ts';

const bench = { quick: true, repeats: 3, threads: 2, root: '', base: undefined, say: () => {} };
const straight = Array.from({ length: 1920 }, (_, i) => 5 + i / 500);

test('a line is a line, and one slow step is found where it is', () => {
  expect(judge(straight, bench).findings.map(({ holds }) => holds)).toEqual([true, true]);
  const [line, steps] = judge(straight.with(1000, 60), bench).findings;
  expect(line?.holds).toBe(true);
  expect(steps).toMatchObject({ holds: false, value: 1, measured: '60 ms at 1128 tokens' });
});

test('times that grow by squares, or jump, are no line', () => {
  const shapes = [(i: number) => 5 + (i / 300) ** 2, (i: number) => (i < 1500 ? 5 : 15) + i / 500];
  for (const shape of shapes) {
    const [line] = judge(
      Array.from({ length: 1920 }, (_, i) => shape(i)),
      bench,
    ).findings;
    expect(line?.holds).toBe(false);
  }
});
