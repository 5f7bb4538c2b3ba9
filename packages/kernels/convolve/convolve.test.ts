import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, floats, random } from '../testing/numbers.ts';
import { convolve } from './index.ts';
import { convolveReference } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('rows in any pieces are convolved as one sequence, to the same bits', () => {
    const channels = fc.constantFrom(4, 12, 16, 40);
    const pieces = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.integer(),
        channels,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 5 }),
        pieces,
        (seed, columns, taps, extra, cut) => {
          const next = random(seed);
          const n = cut.reduce((sum, piece) => sum + piece, 0);
          const x = floats(n * columns, next);
          const filter = floats(taps * columns, next);
          const run = (parts: readonly number[]) => {
            machine.reset();
            const stride = columns + extra;
            const spread = new Float32Array(n * stride);
            for (let t = 0; t < n; t++) spread.set(x.subarray(t * columns, (t + 1) * columns), t * stride);
            const [at, w] = [machine.input(spread), machine.input(filter)];
            const bytes = 4 * (taps - 1) * columns;
            const states = [0, 1].map(() => machine.output(bytes, new Uint8Array(bytes)));
            const out = machine.output(4 * n * columns);
            let first = 0;
            for (const [i, rows] of parts.entries()) {
              const from = states[i % 2] ?? 0;
              const to = states[(i + 1) % 2] ?? 0;
              const piece = { address: at + 4 * first * stride, stride };
              machine.run([
                convolve({
                  x: piece,
                  n: rows,
                  channels: columns,
                  filter: w,
                  taps,
                  from,
                  to,
                  out: out + 4 * first * columns,
                }),
              ]);
              first += rows;
            }
            return machine.floats(out, n * columns);
          };
          const whole = run([n]);
          expectClose(whole, convolveReference(x, filter, columns), () => 1e-5);
          expectSame(run(cut), whole);
        },
      ),
    );
  });
});
