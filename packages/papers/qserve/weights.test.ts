import type { ProgressiveRows } from '@loci/kernels';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { largestValue } from './range.ts';
import {
  type Activations,
  dequantize,
  integerProducts,
  integerProductsByWords,
  quantizeActivations,
  quantizeProgressive,
  roundEven,
} from './weights.ts';

test('halves round to even', () => {
  expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6].map(roundEven)).toEqual([-2, -2, 0, 0, 2, 2, 2, -3]);
});

test('the protective range is what keeps level 2 within 8 bits', () => {
  expect([119, 120, 127].map(largestValue)).toEqual([121, 128, 132]);
});

const shapes = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 30 }),
  group: fc.constantFrom(32, 64, 128),
  groups: fc.integer({ min: 1, max: 4 }),
  rows: fc.integer({ min: 1, max: 5 }),
  n: fc.integer({ min: 1, max: 3 }),
});

function noise(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) ** 3;
  });
}

test('products of integers are those of the integers that level 2 stands for, and words give the same', () => {
  fc.assert(
    fc.property(shapes, ({ seed, group, groups, rows, n }) => {
      const columns = group * groups;
      const w = quantizeProgressive(noise(rows * columns, seed), rows, columns, group);
      const x = quantizeActivations(noise(n * columns, seed + 1), n, columns);
      const values = dequantize({ ...w, rowScale: new Float32Array(rows).fill(1) });
      const sums = integerProducts(w, x);
      for (let t = 0; t < n; t++) {
        for (let r = 0; r < rows; r++) {
          let sum = 0;
          for (let c = 0; c < columns; c++) sum += (values[r * columns + c] ?? 0) * (x.q[t * columns + c] ?? 0);
          expect(sums[t * rows + r]).toBe(sum);
        }
      }
      expect(integerProductsByWords(w, x)).toEqual(sums);
    }),
    { numRuns: 60 },
  );
});

test('extremes fit', () => {
  const [columns, group] = [1536, 128];
  const w: ProgressiveRows = {
    ...{ rows: 1, columns, group, q: new Uint8Array(columns).fill(15), scale: new Uint8Array(12).fill(8) },
    ...{ zero: new Uint8Array(12), rowScale: Float32Array.of(1) },
  };
  const x: Activations = { n: 1, q: new Int8Array(columns).fill(-127), scale: Float32Array.of(1) };
  expect([...integerProducts(w, x)]).toEqual([-127 * 15 * 8 * columns]);
  expect(integerProductsByWords(w, x)).toEqual(integerProducts(w, x));
});

test('a value is within half a step of level 2 and half of level 1', () => {
  const values = noise(4 * 256, 7);
  const w = quantizeProgressive(values, 4, 256, 64);
  const back = dequantize(w);
  for (const [i, x] of values.entries()) {
    const step = (w.scale[i >> 6] ?? 0) * (w.rowScale[i >> 8] ?? 0);
    expect(Math.abs((back[i] ?? 0) - x)).toBeLessThanOrEqual(step * 8.01 + 1e-9);
  }
  const squares = (all: (i: number) => number) => values.reduce((sum, _, i) => sum + all(i) ** 2, 0);
  expect(Math.sqrt(squares((i) => (back[i] ?? 0) - (values[i] ?? 0)) / squares((i) => values[i] ?? 0))).toBeLessThan(
    0.1,
  );
});

test('rows of zeros, groups of a row, and what is refused', () => {
  expect([...dequantize(quantizeProgressive(new Float32Array(64), 1, 64, 64))].every((x) => x === 0)).toBe(true);
  expect(() => quantizeProgressive(new Float32Array(96), 1, 96, 64)).toThrow('not a whole number of groups of 64');
  expect(() => quantizeProgressive(new Float32Array(64).fill(Number.NaN), 1, 64, 64)).toThrow('row 0');
});
