import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { highest, neighbours, withinBudget } from './choose.ts';
import { shares, sums } from './likeness.ts';
import { compareWithOracle } from './oracle.ts';
import { splitsReference } from './reference.ts';
import { type Rows, refined, splits } from './refine.ts';
import { closeEvents } from './spans.ts';
import { surprising, threshold } from './surprise.ts';

const options = { gamma: 1, local: 64, chunk: 16, first: 8 };
const loss = fc.double({ min: 0, max: 12, noNaN: true });

describe('surprise', () => {
  test('the threshold is that of the losses between chunk and window', () => {
    const losses = [9, 9, 9, ...Array.from({ length: 48 }, (_, i) => i % 2), 5, 0.5];
    const from = losses.length - 2;
    const deviation = Math.sqrt((48 * 0.25) / 47);
    expect(threshold(losses, from, options)).toBeCloseTo(0.5 + deviation, 9);
    expect(surprising(losses, from, options)).toEqual([from]);
  });
  test('losses that are all the same, or too few, surprise nobody', () => {
    expect(surprising(new Array(100).fill(2.345), 50, options)).toEqual([]);
    expect(surprising([Number.NaN, 3], 0, options)).toEqual([]);
    expect(surprising([], 0, options)).toEqual([]);
  });
  test.prop([fc.array(loss, { minLength: 10, maxLength: 120 }), fc.nat(9)])(
    'a higher gamma surprises no more',
    (losses, from) => {
      const counts = [0.5, 1, 2].map((gamma) => surprising(losses, from, { ...options, gamma }).length);
      expect(counts).toEqual(counts.toSorted((a, b) => b - a));
    },
  );
});

describe('events', () => {
  const sizes = fc.record({
    min: fc.integer({ min: 1, max: 12 }),
    more: fc.nat(20),
    start: fc.nat(40),
    length: fc.nat(300),
  });
  test.prop([sizes, fc.array(fc.nat(340), { maxLength: 60 })])(
    'cover what is closed, none too short or too long',
    (of, drawn) => {
      const { min, more, start, length } = of;
      const [max, end] = [min + more, start + length];
      const cuts = [...new Set(drawn)].filter((cut) => cut > start).sort((a, b) => a - b);
      const events = closeEvents(start, end, cuts, min, max);
      let at = start;
      for (const event of events) {
        expect(event.start).toBe(at);
        expect(event.end - event.start).toBeGreaterThanOrEqual(min);
        expect(event.end - event.start).toBeLessThanOrEqual(max);
        at = event.end;
      }
      expect(at).toBeLessThanOrEqual(end);
      // What stays open is shorter than an event may be.
      expect(end - at).toBeLessThan(max + min);
      // In whatever pieces the text comes, the events are the same.
      const half = start + Math.floor(length / 2);
      const before = closeEvents(start, half, cuts, min, max);
      const after = closeEvents(before.at(-1)?.end ?? start, end, cuts, min, max);
      expect([...before, ...after]).toEqual(events);
    },
  );
  test('without cuts are blocks of the largest size', () => {
    expect(closeEvents(4, 40, [], 2, 16)).toEqual([
      { start: 4, end: 20 },
      { start: 20, end: 36 },
    ]);
  });
});

const rows = fc
  .record({
    count: fc.integer({ min: 2, max: 30 }),
    width: fc.integer({ min: 1, max: 12 }),
    shift: fc.integer({ min: -2, max: 2 }),
  })
  .chain(({ count, width, shift }) =>
    fc
      .array(fc.integer({ min: -100, max: 100 }), { minLength: count * width, maxLength: count * width })
      .map((values): Rows => ({ count, width, values: values.map((x) => x / 100 + shift) })),
  );

describe('refinement', () => {
  test.prop([rows])('closed forms are the definitions over the adjacency matrix', (one) => {
    for (const measure of ['modularity', 'conductance'] as const) {
      const [found, defined] = [splits(one, measure), splitsReference(one, measure)];
      const sum = new Float64Array(one.width).map((_, c) => {
        let all = 0;
        for (let i = 0; i < one.count; i++) all += one.values[i * one.width + c] ?? 0;
        return all;
      });
      const square = (of: Float64Array) => of.reduce((all, x) => all + x * x, 0);
      if (square(sum) < 1e-3) return;
      const before = new Float64Array(one.width);
      for (let t = 1; t < one.count; t++) {
        for (let c = 0; c < one.width; c++) {
          before[c] = (before[c] ?? 0) + (one.values[(t - 1) * one.width + c] ?? 0);
        }
        // Where the keys of a side all but cancel, both divide by what rounding has left.
        if (Math.min(square(before), square(sum.map((x, c) => x - (before[c] ?? 0)))) < 1e-6) continue;
        const size = Math.max(1, Math.abs(defined[t] ?? 0));
        if (measure === 'modularity')
          expect(Math.abs((found[t] ?? Number.NaN) - (defined[t] ?? 0))).toBeLessThan(1e-6 * size);
        else if (size < 1e3)
          expect(Math.abs((found[t] ?? Number.NaN) - (defined[t] ?? 0))).toBeLessThan(1e-5 * size ** 2);
      }
    }
  });
  test('splits and cuts are those of the official code', () => {
    for (const { closedFormGap, definitionGap, sameCuts } of compareWithOracle()) {
      expect(closedFormGap).toBeLessThan(1e-9);
      expect(definitionGap).toBeLessThan(1e-9);
      expect(sameCuts).toBe(true);
    }
  });
  test.prop([rows])('a cut never moves to a worse split, and stays behind its predecessor', (all) => {
    for (const measure of ['modularity', 'conductance'] as const) {
      const cut = Math.max(1, Math.floor((2 * all.count) / 3));
      const moved = refined(cut, 0, {
        ...{ measure, min: 2, first: 0, end: all.count },
        rows: (start, end) => ({
          count: end - start,
          width: all.width,
          values: Array.from(all.values).slice(start * all.width, end * all.width),
        }),
      });
      const half = Math.floor(cut / 2);
      const end = Math.min(all.count, Math.max(cut + half, cut + 1));
      const found = splits(
        { count: end, width: all.width, values: Array.from(all.values).slice(0, end * all.width) },
        measure,
      );
      expect(moved).toBeLessThanOrEqual(cut);
      expect(moved === cut || moved >= 2).toBe(true);
      const sign = measure === 'modularity' ? 1 : -1;
      expect(sign * (found[moved] ?? 0)).toBeGreaterThanOrEqual(sign * (found[cut] ?? 0));
    }
  });
  test('keys of nothing but zeros are worth nothing anywhere', () => {
    expect([...splits({ count: 4, width: 2, values: new Float64Array(8) }, 'modularity')]).toEqual([0, 0, 0, 0]);
    expect([...splits({ count: 4, width: 2, values: new Float64Array(8) }, 'conductance')]).toEqual([0, 0, 0, 0]);
  });
});

describe('likeness', () => {
  // Two events, three heads: the first head is loud and tells nothing, the others know.
  const products = [90, 0, 1, 89.9, 4, 5];
  test('products add up to those of whole vectors', () => {
    expect([...sums(products, 3)]).toEqual([91, 98.9]);
  });
  test('of every head the shares of all events are one, however large its products', () => {
    for (const scale of [0.125, 1, 100]) {
      const found = shares(products, 3, scale);
      expect((found[0] ?? 0) + (found[1] ?? 0)).toBeCloseTo(3, 12);
      const share = (a: number, b: number) => 1 / (1 + Math.exp(scale * (b - a)));
      expect(found[1]).toBeCloseTo(share(89.9, 90) + share(4, 0) + share(5, 1), 12);
    }
    expect([...shares([], 3, 1)]).toEqual([]);
  });
});

describe('choice', () => {
  test.prop([
    fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(Number.NaN)), { maxLength: 60 }),
    fc.nat(20),
  ])('the highest scores, in order, the first of equals', (scores, count) => {
    const value = (i: number) => (Number.isNaN(scores[i]) ? Number.NEGATIVE_INFINITY : (scores[i] ?? 0));
    const sorted = [...scores.keys()].sort((a, b) => value(b) - value(a) || a - b || 0);
    const expected = sorted.map((i) => [i, value(i)] as const).slice(0, count);
    expect(highest(scores, count).map((i) => [i, value(i)])).toEqual(expected);
  });
  test('the event that crosses the budget comes along where that is nearer to it', () => {
    expect(withinBudget([0, 1, 2], [10, 10, 10], 16)).toEqual([0, 1]);
    expect(withinBudget([0, 1, 2], [10, 10, 10], 14)).toEqual([0]);
    expect(withinBudget([0, 1, 2], [10, 10, 10], 15)).toEqual([0]);
    expect(withinBudget([0], [10], 0)).toEqual([]);
  });
  test('neighbours come behind and before, and those of earlier chunks stay while there is room', () => {
    const sizes = new Array(20).fill(4);
    expect(neighbours([5, 9], [], sizes, 20, 16)).toEqual([6, 4, 10, 8]);
    expect(neighbours([5, 6], [1, 4, 2], sizes, 20, 16)).toEqual([4, 7, 1, 2]);
    expect(neighbours([5], [1, 2, 3], sizes, 20, 12)).toEqual([6, 4, 1]);
    expect(neighbours([0, 19], [], sizes, 20, 100)).toEqual([1, 18]);
    expect(neighbours([3], [8], sizes, 20, 0)).toEqual([]);
  });
});
