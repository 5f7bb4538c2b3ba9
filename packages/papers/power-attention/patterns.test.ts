import { expect, test } from 'vitest';
import { type PatternName, patterns, reach } from './patterns.ts';

const published: Readonly<Record<PatternName, readonly number[]>> = {
  power: [10, 35, 75, 110, 126, 128],
  window: [10, 18, 26, 34, 42, 50],
  stride: [10, 30, 50, 70, 90, 110, 126, 128],
  dilated: [10, 19, 28, 37, 46, 55, 64],
  longnet: [8, 20, 41, 58, 75, 80],
};

test.each(Object.keys(published) as PatternName[])('%s reaches as many blocks as published', (name) => {
  const sizes = reach(patterns[name](), 128).map(({ size }) => size);
  expect(sizes.slice(0, published[name].length)).toEqual(published[name]);
});

test('without sinks and window a link is a single bit of the distance', () => {
  const isLinked = patterns.power(1, 0);
  const linked = Array.from({ length: 100 }, (_, j) => 99 - j).filter((distance) => isLinked(99, 99 - distance));
  expect(linked.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 4, 8, 16, 32, 64]);
});
