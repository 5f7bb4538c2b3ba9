import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pageFormats, pageSlots } from '../append/index.ts';
import { attendScratch } from '../attend/index.ts';
import { mostSlots, type Problem, problem } from '../testing/attention.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, random } from '../testing/numbers.ts';
import { placeHeads } from '../testing/pages.ts';
import { readList } from '../testing/read-lists.ts';
import { boundBytes, boundLists, boundRoom, pageBounds } from './index.ts';
import { greatestProduct, pagesOf } from './reference.ts';

const sizes = fc.record({
  seed: fc.integer(),
  group: fc.constantFrom(1, 3),
  g: fc.constantFrom(1, 2, 3),
  d: fc.constantFrom(16, 64, 80),
  n: fc.constantFrom(1, 2, 7, 33),
  mostUsed: fc.constantFrom(0, 1, 31, 300),
  fill: fc.constantFrom('normal', 'spiky', 'denormal' as const),
  window: fc.constant(0),
});

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  function place(p: Problem) {
    machine.reset();
    const pages = Math.ceil(mostSlots(p) / pageSlots);
    const heads = placeHeads(machine, p.format, p.d, p.heads, random(1));
    return { ...p, heads, pages, bounds: machine.output(pages * boundBytes(p.g, p.d)) };
  }

  test.each(pageFormats)('bounds are the least and the greatest numbers of what %s pages stand for', (format) => {
    fc.assert(
      fc.property(sizes, fc.constantFrom(0, 1), (size, first) => {
        const p = problem({ ...size, format });
        const { g, d } = p;
        const call = place(p);
        machine.run(
          [pageBounds({ ...call, appended: p.n, first: Math.min(first, call.pages), end: call.pages })],
          attendScratch(p.h, g, d),
        );
        for (const [head, { slots }] of p.heads.entries()) {
          for (let page = first; page * pageSlots < slots.length; page++) {
            const keys = slots.slice(page * pageSlots, (page + 1) * pageSlots).map(({ key }) => key);
            const channel = (c: number) => keys.map((key) => key[c] ?? Number.NaN);
            const found = machine.floats(call.bounds + (page * g + head) * 8 * d, 2 * d);
            const each = Array.from({ length: d }, (_, c) => c);
            const expected = [...each.map((c) => Math.min(...channel(c))), ...each.map((c) => Math.max(...channel(c)))];
            // What a slot stands for is its own sum of a step and a least number, whose size is that of the slot.
            const largest = Math.max(...keys.flatMap((key) => Array.from(key, Math.abs)));
            expectClose(found, Float64Array.from(expected), () => 1e-6 * (1 + largest));
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  test.each(['f32', 'q4'] as const)('queries read the pages that the definition chooses, of %s pages', (format) => {
    fc.assert(
      fc.property(sizes, fc.constantFrom(1, 2, 4, 100), (size, most) => {
        const p = problem({ ...size, format });
        const { n, h, g, d } = p;
        const call = place(p);
        const lists = machine.output(4 * n * h * (2 * most + 1));
        const counts = machine.output(24, new Int32Array(6));
        const choosing = {
          ...call,
          ...{ lists: { address: lists, rows: 1, heads: h, capacity: most }, slots: mostSlots(p), counts },
          queries: machine.input(p.queries),
          room: machine.output(boundRoom({ n, h, slots: mostSlots(p) })),
        };
        machine.run(
          [pageBounds({ ...call, appended: n, first: 0, end: call.pages }), boundLists(choosing)],
          attendScratch(h, g, d),
        );
        let compared = 0;
        for (let row = 0; row < n * h; row++) {
          const [t, head] = [Math.floor(row / h), row % h];
          const { slots = [], used = 0 } = p.heads[Math.floor(head / (h / g))] ?? {};
          const keys = slots.map(({ key }) => key);
          const query = p.queries.subarray(row * d, (row + 1) * d);
          const own = Math.floor((used + t) / pageSlots);
          // Bounds are those of whole pages, but of the page that is its own all that counts is that it is read.
          const seen = keys.slice(0, own * pageSlots + 1);
          const read = readList(machine, choosing.lists, t, head);
          const pages = [...new Set(read.map((slot) => Math.floor(slot / pageSlots)))];
          expect(read.length).toBe(pages.length * pageSlots);
          if (own >= most) compared += 2 * own;
          const scores = Array.from({ length: own }, (_, page) =>
            greatestProduct(query, keys.slice(page * pageSlots, (page + 1) * pageSlots)),
          ).sort((a, b) => a - b);
          const isClear = scores.every((score, k) => k === 0 || score - scores[k - 1]! > 1e-4 * (1 + Math.abs(score)));
          if (isClear) expect(pages).toEqual(pagesOf(query, seen, { size: pageSlots, most }));
          else expect(pages.length).toBe(Math.min(most, own + 1));
        }
        expect(machine.ints(counts, 6)[4]).toBe(compared);
      }),
      { numRuns: 25 },
    );
  });
});
