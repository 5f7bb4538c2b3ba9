import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headBytes, pageFormats } from '../append/index.ts';
import { attendScratch } from '../attend/index.ts';
import { problem } from '../testing/attention.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, ints, random } from '../testing/numbers.ts';
import { placeHeads } from '../testing/pages.ts';
import { fetch } from './index.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test.each(pageFormats)('rows of %s pages are what their slots stand for, in any order', (format) => {
    const sizes = fc.record({
      seed: fc.integer(),
      d: fc.constantFrom(16, 64, 80),
      mostUsed: fc.constantFrom(1, 33, 200),
      count: fc.constantFrom(1, 31, 32, 33, 100),
      ascending: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, ({ seed, d, mostUsed, count, ascending }) => {
        const p = problem({ seed, format, n: 1, group: 1, g: 2, d, window: 0, mostUsed });
        const slots = p.heads[1]?.slots ?? [];
        const order = ints(count, random(seed), 0, slots.length);
        if (ascending) order.sort();
        machine.reset();
        const head = placeHeads(machine, format, d, p.heads, random(seed)) + headBytes;
        const keys = machine.output(4 * count * d);
        const values = machine.output(4 * count * d);
        const positions = machine.output(4 * count);
        const call = { head, slots: machine.input(order), count, d, format, keys, values, positions };
        machine.run([fetch(call)], attendScratch(2, 2, d));
        const wanted = Array.from(order, (slot) => slots[slot]!);
        expect([...machine.ints(positions, count)]).toEqual(wanted.map(({ position }) => position));
        const rows = (part: 'key' | 'value') => wanted.flatMap((slot) => Array.from(slot[part]));
        const near = (expected: readonly number[]) => (i: number) => 1e-6 * Math.abs(expected[i] ?? 0) + 1e-6;
        expectClose(machine.floats(keys, count * d), rows('key'), near(rows('key')));
        expectClose(machine.floats(values, count * d), rows('value'), near(rows('value')));
      }),
      { numRuns: 30 },
    );
  });
});
