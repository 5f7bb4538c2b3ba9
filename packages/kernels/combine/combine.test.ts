import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectSame, floats, random } from '../testing/numbers.ts';
import { add, multiply } from './index.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('sums and products of rows, in the place of one of them too', () => {
    const size = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(fc.integer(), size, size, fc.constantFrom(0, 4), fc.boolean(), (seed, n, quarter, extra, inPlace) => {
        const next = random(seed);
        const columns = 4 * quarter;
        const stride = columns + extra;
        const a = floats(n * stride, next);
        const b = floats(n * columns, next);
        for (const [command, of] of [
          [add, (x: number, y: number) => x + y],
          [multiply, (x: number, y: number) => x * y],
        ] as const) {
          machine.reset();
          const first = machine.output(4 * a.length, a);
          const out = inPlace
            ? { address: first, stride }
            : { address: machine.output(4 * n * columns), stride: columns };
          const rows = { address: machine.input(b), stride: columns };
          machine.run([command({ a: { address: first, stride }, b: rows, out, n, columns })]);
          const result = machine.floats(out.address, n * out.stride);
          for (let t = 0; t < n; t++) {
            const expected = Float32Array.from({ length: columns }, (_, c) =>
              of(a[t * stride + c] ?? Number.NaN, b[t * columns + c] ?? Number.NaN),
            );
            expectSame(result.subarray(t * out.stride, t * out.stride + columns), expected);
          }
        }
      }),
    );
  });
});
