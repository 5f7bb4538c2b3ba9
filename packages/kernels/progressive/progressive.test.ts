import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectSame, ints, random } from '../testing/numbers.ts';
import { type ProgressiveRows, packProgressive, progressive, progressiveBytes } from './index.ts';
import { progressiveReference } from './reference.ts';

const cases = fc.record({
  seed: fc.integer(),
  rows: fc.constantFrom(4, 8, 20),
  group: fc.constantFrom(32, 64, 128),
  groups: fc.constantFrom(1, 2, 3, 9),
  n: fc.constantFrom(1, 2, 3, 7),
  extreme: fc.boolean(),
});

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  function run(w: ProgressiveRows, x: Int8Array, n: number): Int32Array {
    const { rows, columns, group } = w;
    const sums = Int32Array.from({ length: x.length / group }, (_, i) =>
      x.subarray(i * group, (i + 1) * group).reduce((a, b) => a + b, 0),
    );
    machine.reset();
    const out = machine.output(4 * n * rows);
    machine.run([
      progressive({
        ...{ tiles: machine.input(packProgressive(w)), rows, columns, group, n, out },
        ...{ x: machine.input(new Uint8Array(x.buffer)), sums: machine.input(sums) },
      }),
    ]);
    return machine.ints(out, n * rows);
  }

  test('products are the integers that they stand for', () => {
    fc.assert(
      fc.property(cases, ({ seed, rows, group, groups, n, extreme }) => {
        const next = random(seed);
        const columns = group * groups;
        const steps = rows * groups;
        const some = (count: number, low: number, high: number) =>
          extreme ? ints(count, next, 0, 2).map((one) => (one ? high : low)) : ints(count, next, low, high + 1);
        const w: ProgressiveRows = {
          ...{ rows, columns, group, q: Uint8Array.from(some(rows * columns, 0, 15)) },
          ...{ scale: Uint8Array.from(some(steps, 1, 16)), zero: Uint8Array.from(some(steps, 0, 15)) },
        };
        const x = Int8Array.from(some(n * columns, -127, 127));
        expectSame(run(w, x, n), progressiveReference(w, x, n));
      }),
      { numRuns: 100 },
    );
  });
});

test('tiles take 4 bits, and two bytes for a row of a group', () => {
  expect((8 * progressiveBytes(576, 1536, 64)) / (576 * 1536)).toBe(4.25);
  const none = new Uint8Array();
  const one = { rows: 3, columns: 64, group: 64, q: none, scale: none, zero: none };
  expect(() => packProgressive(one)).toThrow('not whole tiles');
});
