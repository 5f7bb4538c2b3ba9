import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pageFormats, pageSlots } from '../append/index.ts';
import { expectedAttention, mostSlots, type Problem, problem, runAttend, type Sizes } from '../testing/attention.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame } from '../testing/numbers.ts';

const shapes = {
  seed: fc.integer(),
  group: fc.constantFrom(1, 3, 4, 8),
  g: fc.constantFrom(1, 2, 3),
  window: fc.constantFrom(0, 1, 5, 40, 100, 2 ** 31 - 1),
  sight: fc.boolean(),
  fill: fc.constantFrom('normal', 'normal', 'spiky', 'equal', 'zeros', 'small', 'denormal' as const),
} as const;
/** Large heads come with few tokens, so that the reference stays quick. */
const somePlace = fc.oneof(
  fc.record({
    d: fc.constantFrom(16, 64),
    n: fc.constantFrom(1, 2, 3, 5, 7, 9, 17, 33, 50),
    mostUsed: fc.constantFrom(0, 1, 31, 100),
  }),
  fc.record({ d: fc.constantFrom(80, 128, 256), n: fc.constantFrom(1, 2, 4, 7), mostUsed: fc.constantFrom(0, 33, 64) }),
);
const someCase = fc.tuple(fc.record(shapes), somePlace).map(([shape, place]) => ({ ...shape, ...place }));

/** Keys of one spike each: in 8 bits all the rest of such a key is a small difference of large terms. */
const spikes = {
  ...{ seed: 19, group: 8, g: 3, window: 0, sight: false, fill: 'spiky' },
  ...{ d: 16, n: 3, mostUsed: 1 },
} as const;

/** A problem long enough to be split: 16 pages are one part. */
const long: Omit<Sizes, 'format'> = { seed: 1, n: 3, group: 3, g: 2, d: 16, window: 0, mostUsed: 1700 };

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  describe.each(pageFormats)('%s pages', (format) => {
    test('attention equals softmax attention over what the pages stand for', () => {
      fc.assert(
        fc.property(someCase, (sizes) => {
          const one = problem({ ...sizes, format });
          const { values, tolerances } = expectedAttention(one);
          const result = runAttend(machine, one);
          expectClose(result, values, (i) => tolerances[i] ?? 0);
          if (sizes.fill !== 'normal') return;
          // The bound adds up the worst of every rounding; errors of usual numbers mostly cancel.
          const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          expectClose(result, values, () => 5e-6 * largest);
        }),
        { numRuns: 40, examples: [[spikes]] },
      );
    });

    test("a token's attention is the same to the last bit in any tile and beside any tokens", () => {
      fc.assert(
        fc.property(
          someCase,
          fc.integer({ min: 0, max: 49 }),
          fc.integer({ min: 1, max: 50 }),
          (sizes, start, count) => {
            const one = problem({ ...sizes, format });
            const from = start % one.n;
            const to = Math.min(one.n, from + count);
            const row = one.h * one.d;
            expectSame(runAttend(machine, one, from, to), runAttend(machine, one).subarray(from * row, to * row));
          },
        ),
        { numRuns: 30 },
      );
    });

    test('keys split over threads give the attention of keys in one piece', () => {
      fc.assert(
        fc.property(
          fc.integer(),
          fc.constantFrom(1, 3, 8),
          fc.constantFrom(0, 3, 700),
          fc.constantFrom(1, 8),
          (...some) => {
            const [seed, n, window, group] = some;
            const one = problem({ ...long, seed, n, window, group, format });
            const { values, tolerances } = expectedAttention(one);
            const split = runAttend(machine, one, 0, n, Math.max(mostSlots(one), 16 * pageSlots + 1));
            const whole = runAttend(machine, one, 0, n, 1);
            expectClose(split, values, (i) => tolerances[i] ?? 0);
            expectClose(split, whole, (i) => 2 * (tolerances[i] ?? 0));
          },
        ),
        { numRuns: 6 },
      );
    });

    // 150 tokens are three tiles of one head; in the third none sees the first page through a window of 40.
    const wide = problem({ ...long, seed: 5, format, mostUsed: 0, n: 150, group: 1, window: 40 });

    test.each([
      { where: 'query', from: 0, to: 150, slots: 150 },
      { where: 'key', from: 0, to: 150, slots: 150 },
      { where: 'value', from: 0, to: 150, slots: 150 },
      { where: 'query', from: 0, to: 8, slots: 1000 },
      { where: 'key', from: 0, to: 8, slots: 1000 },
      { where: 'value', from: 0, to: 8, slots: 1000 },
    ] as const)('a $where that is NaN shows where it is seen ($to tokens, $slots slots)', (one) => {
      const { where, from, to, slots } = one;
      const d = wide.d;
      const was = runAttend(machine, wide, from, to, slots);
      const is = runAttend(machine, poisoned(wide, where, 2), from, to, slots);
      for (let t = from; t < to; t++) {
        const row = (head: number) => [is, was].map((all) => all.subarray((2 * t + head) * d, (2 * t + head + 1) * d));
        const [other = [], otherWas = []] = row(1);
        expectSame(other, otherWas);
        const [mine = [], mineWas = []] = row(0);
        const distance = (wide.positions[t] ?? 0) - (wide.positions[2] ?? 0);
        const sees = where === 'query' ? distance === 0 : distance >= 0 && distance < wide.window;
        // In half precision and in 8 bits a NaN spoils its whole slot.
        const channels = where === 'value' && format === 'f32' ? [5] : mine.keys();
        if (sees) for (const c of channels) expect(mine[c], `token ${t}, channel ${c}`).toBeNaN();
        // A value that is NaN, times a weight of zero, also reaches tokens that share the tile and do not see its page.
        else if (where !== 'value' || format === 'f16' || t >= 100) expectSame(mine, mineWas);
      }
    });
  });

  describe.each(['q8', 'q4', 'kv4', 'f16'] as const)('products in integers over %s pages', (format) => {
    // A query's and a key's steps are 1/127 of a range of some 3 deviations: scores move by a few hundredths, and with them
    // weights by a few per cent. Weights themselves have steps of 1/127 of the largest of their page, values of their own.
    const [usual, worst, one] = [0.03, 0.25, 0.02];

    test('stay within the rounding of queries, keys, weights and values', () => {
      const cases = fc.tuple(fc.record({ ...shapes, fill: fc.constant('normal' as const) }), somePlace);
      fc.assert(
        fc.property(cases, ([shape, place]) => {
          const one = problem({ ...shape, ...place, format });
          const { values } = expectedAttention(one);
          const result = runAttend(machine, one, 0, one.n, mostSlots(one), true);
          // A single head over few keys may be a little further off than usual.
          expect(rootMeanSquare(result.map((value, i) => value - (values[i] ?? 0)))).toBeLessThan(1.5 * usual);
          const error = result.reduce((most, value, i) => Math.max(most, Math.abs(value - (values[i] ?? 0))), 0);
          expect(error).toBeLessThan(worst);
        }),
        { numRuns: 40 },
      );
    });

    test.each([0, 700])('do so for few queries over many pages, in parts and in one (window %i)', (window) => {
      const one = problem({ ...long, format, window, d: 64 });
      const { values } = expectedAttention(one);
      for (const slots of [mostSlots(one), 1]) {
        const result = runAttend(machine, one, 0, one.n, slots, true);
        expect(rootMeanSquare(result.map((value, i) => value - (values[i] ?? 0)))).toBeLessThan(usual);
      }
    });

    test('give a token the same bits in any tile that takes them', () => {
      const one = problem({ ...long, format, n: 50, mostUsed: 100, d: 64 });
      const row = one.h * one.d;
      const whole = runAttend(machine, one, 0, 50, mostSlots(one), true);
      for (const [from, to] of [
        [0, 33],
        [17, 50],
        [20, 44],
      ] as const) {
        expectSame(runAttend(machine, one, from, to, mostSlots(one), true), whole.subarray(from * row, to * row));
      }
    });

    test('are exact where rounding is: one key is all of the answer', () => {
      const alone = problem({ ...long, format, n: 20, mostUsed: 0, window: 1, d: 64 });
      const { values } = expectedAttention(alone);
      const result = runAttend(machine, alone, 0, 20, 20, true);
      expectClose(result, values, (i) => (one / 2) * Math.abs(values[i] ?? 0) + one);
    });

    test('do not hide a NaN, nor take one from slots that were never written', () => {
      const one = problem({ ...long, format, n: 20, mostUsed: 40, d: 64 });
      expect(runAttend(machine, one, 0, 20, mostSlots(one), true).every(Number.isFinite)).toBe(true);
      const spoiled = runAttend(machine, poisoned(one, 'key', 0), 0, 20, mostSlots(one), true);
      for (let t = 0; t < 20; t++) expect(spoiled[t * one.h * one.d]).toBeNaN();
    });
  });

  test('every half is the number it stands for', () => {
    // One key is all that a query sees, so that the result is the value. 31 × 1024 finite halves of each sign.
    const d = 256;
    const g = (2 * 31 * 1024) / d;
    const half = new DataView(new ArrayBuffer(2));
    const numberOf = (bits: number) => {
      half.setUint16(0, bits);
      return half.getFloat16(0);
    };
    const heads = Array.from({ length: g }, (_, head) => {
      const value = Float64Array.from({ length: d }, (_, c) => {
        const i = head * d + c;
        return numberOf(i < 31 * 1024 ? i : 0x8000 + i - 31 * 1024);
      });
      return { used: 0, slots: [{ position: 0, key: new Float64Array(d), value }] };
    });
    const one: Problem = {
      ...{ format: 'f16', n: 1, h: g, g, d, window: 0, scale: 1, heads },
      ...{ queries: new Float32Array(g * d), positions: Int32Array.of(0) },
    };
    const expected = heads.flatMap(({ slots }) => slots.flatMap(({ value }) => [...value]));
    expectSame(runAttend(machine, one), expected);
  });

  test('scores beyond any exponential are a choice of the largest', () => {
    const one = problem({ ...long, mostUsed: 60, format: 'f32' });
    const sharp = { ...one, scale: 1e5 };
    const { values } = expectedAttention(sharp);
    expectClose(runAttend(machine, sharp), values, () => 1e-6);
  });
});

function rootMeanSquare(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

/** The same problem with a NaN in channel 5 of head 0's query of token `slot`, or of its slot's key or value. */
function poisoned(one: Problem, where: 'query' | 'key' | 'value', slot: number): Problem {
  const spoil = (row: ArrayLike<number>) => Float64Array.from(row, (value, c) => (c === 5 ? Number.NaN : value));
  if (where === 'query') {
    const queries = one.queries.slice();
    queries[slot * one.h * one.d + 5] = Number.NaN;
    return { ...one, queries };
  }
  const heads = one.heads.map(({ slots, ...rest }, head) => ({
    ...rest,
    slots: slots.map((held, i) => (head === 0 && i === slot ? { ...held, [where]: spoil(held[where]) } : held)),
  }));
  return { ...one, heads };
}
