import fc from 'fast-check';
import { describe, test } from 'vitest';
import { layouts } from '../matmul/layout.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, fills, ints, random, unit } from '../testing/numbers.ts';
import { weights } from '../testing/weights.ts';
import { embed } from './index.ts';
import { embedReference } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test.each(layouts)('rows of %s are the numbers that it stands for, times the factor', (layout) => {
    const cases = fc.record({
      seed: fc.integer(),
      n: fc.constantFrom(1, 2, 3, 7, 20),
      rows: fc.constantFrom(1, 3, 8, 9, 31),
      groups: fc.constantFrom(1, 2, 3, 5),
      fill: fc.constantFrom(...fills),
      factor: fc.constantFrom(1, 0.5, 25.298221281347036),
    });
    fc.assert(
      fc.property(cases, ({ seed, n, rows, groups, fill, factor }) => {
        const next = random(seed);
        const columns = layout === 'f32' ? groups * 16 - (seed & 7) : groups * (layout.includes('x32') ? 32 : 16);
        const w = weights(layout, rows, columns, next, fill);
        const ids = ints(n, next, -1, rows);
        const table = { layout, rows, columns, address: machine.reset().input(w.packed) };
        const out = machine.output(4 * n * columns);
        machine.run([embed({ table, ids: machine.input(ids), n, out, factor })], 4 * 8 * 32);
        // The minimum's own rounding, the product's and the sum's, and the factor's (and the factor as a float32).
        const sizes = embedReference(w.sizes, columns, ids, factor);
        const expected = embedReference(w.values, columns, ids, factor);
        expectClose(machine.floats(out, n * columns), expected, (i) => 5 * unit * (sizes[i] ?? 0) + 1e-43);
      }),
      { numRuns: 50 },
    );
  });
});
