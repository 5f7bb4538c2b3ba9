import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pageSlots } from '../append/index.ts';
import { attendScratch, listWords } from '../attend/index.ts';
import { mostSlots, problem } from '../testing/attention.ts';
import { builds, Machine } from '../testing/machine.ts';
import { random } from '../testing/numbers.ts';
import { placeHeads } from '../testing/pages.ts';
import { readList } from '../testing/read-lists.ts';
import { weigh, weighStride } from '../weigh/index.ts';
import { slashLists, slashRoom } from './index.ts';
import { crossed } from './reference.ts';

const sizes = fc.record({
  seed: fc.integer(),
  group: fc.constantFrom(1, 3),
  g: fc.constantFrom(1, 2),
  d: fc.constant(16),
  n: fc.constantFrom(1, 2, 7, 33, 64),
  mostUsed: fc.constantFrom(0, 1, 31, 300),
  window: fc.constant(0),
});
const crossings = fc.record({
  columns: fc.constantFrom(0, 1, 5, 1000),
  width: fc.constantFrom(1, 4, 32),
  diagonals: fc.constantFrom(0, 1, 7, 1000),
  sinks: fc.constantFrom(0, 1, 40),
  nearest: fc.constantFrom(1, 2, 50),
});

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('blocks read the columns and diagonals that most attention is paid to', () => {
    fc.assert(
      fc.property(
        sizes,
        crossings,
        fc.constantFrom(1, 5, 64),
        fc.constantFrom(1, 8, 64),
        (size, what, sample, rows) => {
          const p = problem({ ...size, format: 'f32' });
          const { n, h, g, d } = p;
          const slots = mostSlots(p);
          const stride = weighStride(slots);
          const sampled = Math.min(sample, n);
          const blocks = Math.ceil(n / rows);
          machine.reset();
          const heads = placeHeads(machine, 'f32', d, p.heads, random(1));
          const weights = machine.output(4 * sampled * h * stride);
          const capacity = Math.ceil(slots / pageSlots);
          const lists = { rows, heads: h, capacity, address: machine.output(4 * blocks * h * listWords(capacity)) };
          const counts = machine.output(24, new Int32Array(6));
          const room = machine.output(slashRoom({ h, slots, ...what }));
          const last = {
            queries: machine.input(p.queries.subarray((n - sampled) * h * d)),
            positions: machine.input(p.positions.subarray(n - sampled)),
            ...{
              n: sampled,
              appended: n,
              states: machine.output(8 * sampled * h),
              out: weights,
              rows: 'each' as const,
            },
          };
          machine.run(
            [
              ...weigh({ ...p, ...last, heads, stride }),
              slashLists({ ...what, weights, sampled, stride, h, g, heads, n, slots, lists, room, counts }),
            ],
            attendScratch(h, g, d),
          );
          const all = machine.floats(weights, sampled * h * stride);
          let pairs = 0;
          for (let head = 0; head < h; head++) {
            const { used = 0 } = p.heads[Math.floor(head / (h / g))] ?? {};
            pairs += sampled * (used + n);
            const own = Array.from({ length: sampled }, (_, i) =>
              all.subarray((i * h + head) * stride, (i * h + head) * stride + used + n),
            );
            for (let block = 0; block < blocks; block++) {
              const from = used + block * rows;
              const to = used + Math.min(n, (block + 1) * rows);
              const expected = crossed(own, used + n, { from, to }, what);
              const read = readList(machine, lists, block, head);
              expect(read).toEqual(expected);
            }
          }
          expect(machine.ints(counts, 6)[4]).toBe(pairs);
        },
      ),
      { numRuns: 60 },
    );
  });
});
