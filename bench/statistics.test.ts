import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fitLine, summary } from './statistics.ts';

test('a summary keeps every value, to four digits', () => {
  expect(summary([1.23456, 9, 3])).toEqual({ median: 3, all: [1.235, 9, 3] });
  expect(summary([]).median).toBeNaN();
});

property.prop([fc.double({ min: -9, max: 9, noNaN: true }), fc.double({ min: 1, max: 9, noNaN: true })])(
  'points on a line give that line',
  (intercept, slope) => {
    const { r2, ...line } = fitLine(Array.from({ length: 20 }, (_, x) => [x, intercept + slope * x] as const));
    expect(line.intercept).toBeCloseTo(intercept, 6);
    expect(line.slope).toBeCloseTo(slope, 6);
    expect(r2).toBeCloseTo(1, 9);
  },
);
