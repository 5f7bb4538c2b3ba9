import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { bootstrap, mean, median, pairedBootstrap, pearson, quantile, spearman } from './index.ts';

const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
const values = fc.array(number, { minLength: 1, maxLength: 30 });

property.prop([values])('as many values lie below the median as above it', (all) => {
  const middle = median(all);
  const below = all.filter((value) => value < middle).length;
  const above = all.filter((value) => value > middle).length;
  expect(Math.max(below, above)).toBeLessThanOrEqual(all.length / 2);
});

property.prop([values, fc.double({ min: 0, max: 1, noNaN: true })])('a quantile rises with its share', (all, share) => {
  const found = quantile(all, share);
  expect(found).toBeGreaterThanOrEqual(Math.min(...all));
  expect(found).toBeLessThanOrEqual(Math.max(...all));
  expect(found).toBeGreaterThanOrEqual(quantile(all, share / 2));
});

test('nothing has no mean, median or quantile', () => {
  for (const found of [mean([]), median([]), quantile([], 0.5)]) expect(found).toBeNaN();
});

property.prop([fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 3, maxLength: 20 }), fc.nat()])(
  'a line has correlation 1 and its mirror −1; ranks see any rising curve as a line',
  (x, shift) => {
    const line = x.map((value) => 3 * value + shift);
    expect(pearson(x, line)).toBeCloseTo(1, 9);
    expect(
      pearson(
        x,
        line.map((value) => -value),
      ),
    ).toBeCloseTo(-1, 9);
    expect(
      spearman(
        x,
        x.map((value) => Math.exp(value / 10)),
      ),
    ).toBeCloseTo(1, 9);
  },
);

test('equal values share a rank, so that their order does not matter', () => {
  const y = [1, 0, 0, 2, 4, 3];
  expect(spearman([0, 0, 0, 1, 2, 3], y)).toBeCloseTo(spearman([0, 0, 0, 1, 2, 3], [0, 0, 1, 2, 4, 3]), 12);
  // As scipy.stats.spearmanr says.
  expect(spearman([0, 0, 0, 1, 2, 3], y)).toBeCloseTo(0.8932596002688613, 12);
});

test('what varies not, or is too little, has no correlation; sides of different lengths are refused', () => {
  expect(pearson([1, 2, 3], [4, 4, 4])).toBeNaN();
  expect(spearman([1], [2])).toBeNaN();
  expect(() => pearson([1, 2], [1])).toThrow(RangeError);
  expect(() => pairedBootstrap([1, 2], [1])).toThrow(RangeError);
});

describe('the bootstrap', () => {
  const random = new Random('normal');
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.real())) * Math.cos(2 * Math.PI * random.real());
  const sample = (count: number, centre: number) => Array.from({ length: count }, () => centre + normal());

  test('has the standard error of a mean', () => {
    const estimate = bootstrap(sample(400, 5), mean);
    expect(estimate.value).toBeCloseTo(5, 0);
    expect(Math.abs(estimate.standardError - 1 / 20)).toBeLessThan(0.01);
    expect(estimate.low).toBeLessThan(estimate.value);
    expect(estimate.high).toBeGreaterThan(estimate.value);
  });

  test('covers the truth as often as its confidence says', () => {
    let covered = 0;
    for (let seed = 0; seed < 300; seed++) {
      const { low, high } = bootstrap(sample(40, 2), mean, { resamples: 300, confidence: 0.9, seed });
      if (low <= 2 && 2 <= high) covered++;
    }
    expect(covered / 300).toBeGreaterThan(0.83);
    expect(covered / 300).toBeLessThan(0.96);
  });

  test('of pairs sees through what makes cases hard', () => {
    const hard = sample(50, 0).map((value) => value * 10);
    const a = hard.map((value) => value + 1 + 0.1 * normal());
    const { low, high, value } = pairedBootstrap(a, hard);
    expect(value).toBeCloseTo(1, 1);
    expect(low).toBeGreaterThan(0.9);
    expect(high).toBeLessThan(1.1);
    expect(bootstrap(a, mean).standardError).toBeGreaterThan(0.5);
  });

  test('is the same for the same seed, and nothing of nothing', () => {
    const cases = sample(20, 0);
    expect(bootstrap(cases, median, { seed: 3 })).toEqual(bootstrap(cases, median, { seed: 3 }));
    expect(bootstrap(cases, median, { seed: 3 })).not.toEqual(bootstrap(cases, median, { seed: 4 }));
    expect(bootstrap([], mean).value).toBeNaN();
  });
});
