import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectSame, floats, ints, random } from '../testing/numbers.ts';
import { copy } from './index.ts';
import { copyReference } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('rows are gathered in the order asked for, also several times', () => {
    const size = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(fc.integer(), size, size, size, fc.constantFrom(0, 1, 17), (seed, n, count, columns, extra) => {
        const next = random(seed);
        const stride = columns + extra;
        const from = floats(count * stride, next);
        from[0] = Number.NaN;
        const rows = ints(n, next, 0, count);
        machine.reset();
        const out = machine.output(4 * n * columns);
        machine.run([copy({ from: machine.input(from), stride, rows: machine.input(rows), n, columns, out })]);
        expectSame(machine.floats(out, n * columns), copyReference(from, stride, rows, columns));
      }),
    );
  });
});
