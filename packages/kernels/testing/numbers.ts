import { expect } from 'vitest';

/** Relative error of one rounding to float32. */
export const unit = 2 ** -24;
/** Absolute error of one rounding to float32 near zero. */
export const least = 2 ** -150;

/** A source of uniform numbers in [0, 1) (mulberry32). */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What numbers a test's array holds. */
export const fills = ['normal', 'zeros', 'equal', 'spiky', 'large', 'small', 'denormal', 'mixed'] as const;
export type Fill = (typeof fills)[number];

/** `count` float32 numbers; `large` and `small` stay where a sum of squares is still a float32. */
export function floats(count: number, next: () => number, fill: Fill = 'normal'): Float32Array {
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const first = normal();
  const number = {
    normal,
    zeros: () => 0,
    equal: () => first,
    spiky: () => (next() < 0.05 ? 300 * normal() : 0.01 * normal()),
    large: () => 1e12 * normal(),
    small: () => 1e-12 * normal(),
    denormal: () => 1e-39 * normal(),
    mixed: () => normal() * 10 ** (12 * next() - 6) * (next() < 0.1 ? 0 : 1),
  }[fill];
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = number();
  return numbers;
}

/** Whole numbers from `from` up to and without `end`. */
export function ints(count: number, next: () => number, from: number, end: number): Int32Array {
  const numbers = new Int32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = from + Math.floor(next() * (end - from));
  return numbers;
}

/** Every number is within its own tolerance of the expected one; what is not finite is to be the same. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: (index: number) => number,
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const is = actual[i] ?? Number.NaN;
    const should = expected[i] ?? Number.NaN;
    if (Object.is(is, should) || is === should || Math.abs(is - should) <= tolerance(i)) continue;
    throw new Error(`number ${i} is ${is}; it should be ${should} ± ${tolerance(i)}`);
  }
}

/** The same numbers to the last bit (of which zero has none: −0 is 0). */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expectClose(actual, expected, () => -1);
}
