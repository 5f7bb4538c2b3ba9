import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, floats, random } from '../testing/numbers.ts';
import { scale } from './index.ts';
import { scaleReference } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('groups of columns get a factor and a shift of their own, and a factor of 0 leaves nothing', () => {
    const size = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(fc.integer(), size, size, size, fc.boolean(), (seed, n, groups, quarter, shifted) => {
        const next = random(seed);
        const columns = 4 * quarter;
        const x = floats(n * groups * columns, next);
        x[0] = Number.NaN;
        const factors = floats(groups, next).map((factor, i) => (i === 0 ? 0 : factor));
        const shifts = shifted ? floats(groups * columns, next) : undefined;
        machine.reset();
        const at = machine.output(4 * x.length, x);
        machine.run([
          scale({
            ...{ x: at, n, groups, columns, factors: machine.input(factors) },
            ...(shifts && { shifts: machine.input(shifts) }),
          }),
        ]);
        expectClose(machine.floats(at, x.length), scaleReference(x, columns, factors, shifts), () => 1e-6);
      }),
    );
  });
});
