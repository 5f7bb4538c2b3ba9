import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pageFormats, pageSlots } from '../append/index.ts';
import { expectedAttention, type Lists, type Problem, placeLists, problem, runAttend } from '../testing/attention.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, random } from '../testing/numbers.ts';
import { placeHeads } from '../testing/pages.ts';
import { type Attend, allSlots, attend, attendScratch, mergeParts, partialFloats } from './index.ts';

const pagesOf = ({ heads }: Problem) => Math.ceil(Math.max(...heads.map(({ slots }) => slots.length)) / pageSlots);

/** Lists of about a share of the pages, most of them whole. */
function someLists(one: Problem, rows: number, heads: number, share: number, seed: number): Lists {
  const next = random(seed);
  const entries = Array.from({ length: Math.ceil(one.n / rows) }, () =>
    Array.from({ length: heads }, () =>
      Array.from({ length: pagesOf(one) }, (_, page) => page)
        .filter(() => next() < share)
        .map((page) => ({ page, slots: next() < 0.6 ? allSlots : Math.floor(next() * 2 ** 32) | 0 })),
    ),
  );
  return { rows, heads, entries };
}

const sizes = fc.record({
  seed: fc.integer(),
  group: fc.constantFrom(1, 3, 4),
  g: fc.constantFrom(1, 2, 3),
  window: fc.constantFrom(0, 40, 100),
  sight: fc.boolean(),
  d: fc.constantFrom(16, 64),
  n: fc.constantFrom(1, 2, 8, 9, 17, 50),
  mostUsed: fc.constantFrom(0, 31, 300, 700),
});
const listing = fc.record({
  rows: fc.constantFrom(1, 4, 8, 16, 64),
  perQueryHead: fc.boolean(),
  share: fc.constantFrom(0, 0.2, 0.7, 1),
});

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test.each(pageFormats)('queries read what their list names and nothing else, of %s pages', (format) => {
    fc.assert(
      fc.property(sizes, listing, (size, { rows, perQueryHead, share }) => {
        const whole = problem({ ...size, format });
        const heads = perQueryHead ? whole.h : whole.g;
        const one = { ...whole, lists: someLists(whole, rows, heads, share, size.seed) };
        const { values, tolerances } = expectedAttention(one);
        expectClose(runAttend(machine, one), values, (i) => tolerances[i] ?? 0);
      }),
      { numRuns: 40 },
    );
  });

  test.each(pageFormats)('lists of everything change no bit, of %s pages', (format) => {
    for (const mayRound of [false, true]) {
      const one = problem({ seed: 3, format, n: 40, group: 3, g: 2, d: 64, window: 0, mostUsed: 200 });
      const lists = someLists(one, 64, one.g, 1, 1);
      const full = lists.entries.map((heads) =>
        heads.map((list) => list.map(({ page }) => ({ page, slots: allSlots }))),
      );
      const listed = runAttend(machine, { ...one, lists: { ...lists, entries: full } }, 0, 40, 240, mayRound);
      expectSame(listed, runAttend(machine, one, 0, 40, 240, mayRound));
    }
  });

  test.each([1, 5, 40])('parts of the keys, attended to one by one, join to the whole (%i tokens)', (n) => {
    const one = problem({ seed: 9, format: 'f32', n, group: 3, g: 2, d: 16, window: 0, mostUsed: 1700 });
    const { h, g, d } = one;
    const all = Array.from({ length: pagesOf(one) }, (_, page) => page);
    const part = (wanted: (page: number) => boolean): Lists => {
      const list = all.filter(wanted).map((page) => ({ page, slots: allSlots }));
      return { rows: 64, heads: g, entries: [Array.from({ length: g }, () => list)] };
    };
    // The third has no keys at all.
    const parts = [part((page) => page % 3 === 0), part((page) => page % 3 !== 0), part(() => false)];
    machine.reset();
    const out = machine.output(4 * n * h * d);
    const splits = parts.map(({ entries }) =>
      n <= 8 ? Math.max(1, Math.ceil((entries[0]?.[0]?.length ?? 0) / 16)) : 1,
    );
    const total = splits.reduce((sum, count) => sum + count, 0);
    const call = {
      ...{ format: one.format, n, h, g, d, window: 0, scale: one.scale },
      queries: machine.input(one.queries),
      positions: machine.input(one.positions),
      heads: placeHeads(machine, one.format, d, one.heads, random(1)),
      partials: machine.output(4 * partialFloats(n, h, d, total)),
      counts: machine.output(16, new Int32Array(4)),
      ...{ slots: all.length * pageSlots, out, mayRound: false },
    };
    let first = 0;
    const calls = parts.map((lists, i): Attend => {
      const share = { first, total };
      first += splits[i] ?? 0;
      return { ...call, lists: placeLists(machine, lists), share };
    });
    const merge = mergeParts(call, total);
    machine.run([...calls.map(attend), ...(merge ? [merge] : [])], attendScratch(h, g, d));
    const { values, tolerances } = expectedAttention(one);
    expectClose(machine.floats(out, n * h * d), values, (i) => 2 * (tolerances[i] ?? 0));
    const slots = one.heads.reduce((sum, head) => sum + head.slots.length, 0);
    const [reads = 0, , pairs = 0] = machine.ints(call.counts, 4);
    // Few tokens are one tile, so that every slot is read once; many are several.
    if (n <= 8) expect({ reads, pairs }).toEqual({ reads: slots, pairs: slots * n * 3 });
    else expect(reads).toBeGreaterThan(slots);
    expect(pairs).toBeLessThanOrEqual(slots * n * 3);
  });
});
