import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pageFormats } from '../append/index.ts';
import { listWords } from '../attend/index.ts';
import { mostSlots, type Problem, problem } from '../testing/attention.ts';
import { builds, Machine } from '../testing/machine.ts';
import { random } from '../testing/numbers.ts';
import { placeHeads } from '../testing/pages.ts';
import { slotsOf } from '../testing/read-lists.ts';
import { type Descend, descend, descendScratch, listCapacity, representatives, type Stretches } from './index.ts';
import { blockSearch, descendReference, tokenSearch } from './reference.ts';

interface GoldenSet {
  readonly count: number;
  readonly k: number;
  readonly coarse: number;
  readonly seed: number;
  readonly set: readonly number[];
}
const golden: readonly GoldenSet[] = JSON.parse(readFileSync(new URL('./golden/sets.json', import.meta.url), 'utf8'));

/** The numbers that bench/oracles/halving-search.py draws. */
function scoresOf({ count, seed, coarse }: Pick<GoldenSet, 'count' | 'seed' | 'coarse'>): number[] {
  let x = BigInt(seed);
  return Array.from({ length: count }, () => {
    x = (1103515245n * x + 12345n) % 2n ** 31n;
    return Math.floor(Number(x) / coarse);
  });
}

describe('the search', () => {
  test.each(golden)('over $count scores ends at the $k that numpy ends at (seed $seed, in steps of $coarse)', (one) => {
    const scores = scoresOf(one);
    expect(tokenSearch(scores, one.k)).toEqual(one.set);
    expect(blockSearch([0, one.count], one.k, 'centre', (block) => scores[block] ?? Number.NaN)).toEqual(one.set);
  });

  test('over tokens and over blocks of one is the same', () => {
    const some = fc.integer({ min: 1, max: 300 }).chain((count) =>
      fc.record({
        k: fc.integer({ min: 1, max: count }),
        scores: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: count, maxLength: count }),
      }),
    );
    fc.assert(
      fc.property(some, ({ scores, k }) => {
        const found = blockSearch([0, scores.length], k, 'centre', (block) => scores[block] ?? Number.NaN);
        expect(found).toEqual(tokenSearch(scores, k));
        expect(found.length).toBe(k);
      }),
    );
  });

  test('finds the best of scores that rise to one place', () => {
    const scores = Array.from({ length: 1000 }, (_, i) => -Math.abs(i - 617));
    expect(tokenSearch(scores, 4)).toContain(617);
  });
});

const sizes = fc.record({
  seed: fc.integer(),
  group: fc.constantFrom(1, 3),
  g: fc.constantFrom(1, 2),
  d: fc.constantFrom(16, 64, 80),
  n: fc.constantFrom(1, 2, 9, 50),
  mostUsed: fc.constantFrom(0, 31, 300, 700),
});
const searches = fc.record({
  chunks: fc.constantFrom(1, 2, 5, 16, 60),
  beam: fc.constantFrom(1, 2, 3, 8),
  block: fc.constantFrom(1, 2, 8, 32, 64),
  keyStride: fc.constantFrom(1, 3, 8),
  queryStride: fc.constantFrom(1, 2, 5),
  sinks: fc.constantFrom(0, 4, 40),
  window: fc.constantFrom(0, 1, 20, 64),
  representative: fc.constantFrom(...representatives),
});
const sharing = fc.record({
  rows: fc.constantFrom(1, 8, 32),
  perQueryHead: fc.boolean(),
  ahead: fc.constantFrom(0, 8),
});

/** Whole numbers, so that products are exact in any order and any format that holds them. */
function wholeQueries(p: Problem): Problem {
  return { ...p, queries: p.queries.map((x) => Math.round(2 * x)) };
}

/** Slots that every list names among those that its last query sees, [block][head]. */
function expectedLists(p: Problem, of: Stretches, rows: number, heads: number): number[][] {
  const { n, h, g, d } = p;
  const group = h / heads;
  return Array.from({ length: Math.ceil(n / rows) * heads }, (_, i) => {
    const [t0, head] = [Math.floor(i / heads) * rows, i % heads];
    const t1 = Math.min(n, t0 + rows);
    const { used, slots } = p.heads[Math.floor((head * g) / heads)] ?? { used: 0, slots: [] };
    const queries = Array.from({ length: (t1 - t0) * group }, (_, r) => {
      const t = t0 + Math.floor(r / group);
      const row = t * h + head * group + (r % group);
      return { query: p.queries.subarray(row * d, (row + 1) * d), position: p.positions[t] ?? Number.NaN };
    });
    return descendReference({ queries, group }, slots.slice(0, used + t1), of);
  });
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  function run(p: Problem, of: Stretches, rows: number, heads: number, ahead: number) {
    const { n, h, g, d } = p;
    const slots = mostSlots(p);
    const capacity = listCapacity(of, { rows, slots, ahead });
    const count = Math.ceil(n / rows) * heads;
    machine.reset();
    const words = listWords(capacity);
    const call: Descend = {
      ...{ ...of, n, h, g, d, format: p.format, ahead },
      queries: machine.input(p.queries),
      heads: placeHeads(machine, p.format, d, p.heads, random(n)),
      lists: { address: machine.output(4 * count * words), rows, heads, capacity },
      counts: machine.output(24, new Int32Array(6)),
    };
    machine.run([descend(call)], descendScratch(of, { rows: Math.min(rows, n), heads: h / heads, d }));
    const all = machine.ints(call.lists.address, count * words);
    const lists = Array.from({ length: count }, (_, i) => {
      const list = all.subarray(i * words, (i + 1) * words);
      const pages = Array.from({ length: list[0] ?? 0 }, (_, e) => ({ page: list[1 + 2 * e], slots: list[2 + 2 * e] }));
      return { pages, slots: pages.flatMap(({ page = 0, slots = 0 }) => slotsOf(page, slots)) };
    });
    return { lists, scored: machine.ints(call.counts ?? 0, 6)[4] ?? 0 };
  }

  test.each(pageFormats)('lists name what the reference finds, of %s pages', (format) => {
    fc.assert(
      fc.property(sizes, searches, sharing, (size, of, { rows, perQueryHead, ahead }) => {
        const p = wholeQueries(problem({ ...size, format, window: 0, fill: 'normal' }));
        const heads = perQueryHead ? p.h : p.g;
        const { lists } = run(p, of, rows, heads, ahead);
        for (const [i, expected] of expectedLists(p, of, rows, heads).entries()) {
          const { pages = [], slots = [] } = lists[i] ?? {};
          const last = Math.min(p.n, (Math.floor(i / heads) + 1) * rows);
          const seen = (p.heads[Math.floor(((i % heads) * p.g) / heads)]?.used ?? 0) + last;
          expect(slots.filter((slot) => slot < seen)).toEqual(expected);
          expect(pages.every(({ page = 0 }, e) => e === 0 || page > (pages[e - 1]?.page ?? 0))).toBe(true);
          // What is to come is named already, where there is a window.
          for (let slot = seen; of.window > 0 && slot < seen + ahead; slot++) expect(slots).toContain(slot);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('a key that is NaN is never what a search ends at while there are others', () => {
    for (const format of pageFormats) {
      const p = problem({ seed: 5, format: 'f32', n: 1, group: 3, g: 1, d: 16, window: 0, mostUsed: 0 });
      const next = random(3);
      const slots = Array.from({ length: 200 }, (_, position) => ({
        position,
        key: Float32Array.from({ length: 16 }, () => (position % 7 === 3 ? Number.NaN : next() - 0.5)),
        value: new Float32Array(16),
      }));
      const bad = { ...p, format, heads: [{ used: 199, slots }], positions: Int32Array.of(199) };
      const search = { chunks: 100, beam: 1, block: 1, keyStride: 1, queryStride: 1, sinks: 0, window: 0 } as const;
      const { lists } = run(bad, { ...search, representative: 'first' }, 1, 1, 0);
      const found = lists[0]?.slots.filter((slot) => slot < 200) ?? [];
      expect(found.length).toBe(100);
      expect(found.filter((slot) => slot % 7 === 3)).toEqual([]);
    }
  });

  test('twice the keys cost one more round', () => {
    const of = { chunks: 16, beam: 1, block: 8, keyStride: 2, queryStride: 1, sinks: 0, window: 0 } as const;
    const scored = [512, 1024, 2048, 4096].map((count) => {
      const p = problem({ seed: 1, format: 'f16', n: 1, group: 1, g: 1, d: 16, window: 0, mostUsed: 0 });
      const key = Float32Array.from({ length: 16 }, (_, c) => c);
      const slots = Array.from({ length: count }, (_, position) => ({ position, key, value: key }));
      const long = { ...p, heads: [{ used: count - 1, slots }], positions: Int32Array.of(count - 1) };
      return run(long, { ...of, representative: 'centre' }, 1, 1, 0).scored;
    });
    expect(scored.slice(1).map((count, i) => count - (scored[i] ?? 0))).toEqual([128, 128, 128]);
  });
});
