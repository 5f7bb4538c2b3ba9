import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, floats, random } from '../testing/numbers.ts';
import { gate } from './index.ts';
import { gatesOf } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('rows are multiplied by their gates, and a shut gate leaves nothing', () => {
    const size = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(
        ...[fc.integer(), size, size, size, fc.constantFrom(0, 0.5, 2), fc.constantFrom(1, 40)],
        (seed, n, quarter, other, least, most) => {
          const next = random(seed);
          const [columns, width] = [4 * quarter, 4 * other];
          const [x, y, weights] = [floats(n * columns, next), floats(n * width, next), floats(width, next)];
          const wide = y.map((one) => one * most);
          const factors = gatesOf(wide, weights, least);
          // What lies within rounding of the threshold may be either.
          const near = Array.from(gatesOf(wide, weights, 0), (one) => Math.abs(one - least) < 1e-4);
          machine.reset();
          const at = machine.output(4 * x.length, x);
          const by = machine.input(wide);
          machine.run([gate({ x: at, n, columns, by, width, weights: machine.input(weights), least })]);
          const found = machine.floats(at, x.length).map((one, i) => (near[Math.floor(i / columns)] ? 0 : one));
          const expected = Float64Array.from(x, (one, i) => {
            const row = Math.floor(i / columns);
            return near[row] ? 0 : one * (factors[row] ?? Number.NaN);
          });
          expectClose(found, expected, () => 1e-5);
        },
      ),
    );
  });
});
