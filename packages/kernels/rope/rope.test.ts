import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, fills, floats, least, random, unit } from '../testing/numbers.ts';
import { rope } from './index.ts';
import { ropeReference } from './reference.ts';

const cases = fc.record({
  seed: fc.integer(),
  n: fc.constantFrom(1, 2, 3, 7),
  heads: fc.constantFrom(1, 2, 3, 9),
  d: fc.constantFrom(16, 64, 80, 128, 256),
  /** Of the head: 1 is all of it. */
  part: fc.constantFrom(1, 0.5, 0.375, 0.125),
  fill: fc.constantFrom(...fills),
  pairs: fc.constantFrom('neighbours' as const, 'halves' as const),
});

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('pairs of channels are turned by the angles given, and the other channels stay', () => {
    fc.assert(
      fc.property(cases, ({ seed, n, heads, d, part, fill, pairs }) => {
        const next = random(seed);
        const rotated = d * part;
        const half = rotated / 2;
        const x = floats(n * heads * d, next, fill);
        const angles = Float64Array.from({ length: n * half }, () => 6.3 * next());
        const cos = Float32Array.from(angles, Math.cos);
        const sin = Float32Array.from(angles, Math.sin);
        machine.reset();
        const address = machine.output(x.byteLength, x);
        const tables = { cos: machine.input(cos), sin: machine.input(sin) };
        machine.run([rope({ x: address, n, heads, d, rotated, ...tables, pairs })]);
        const result = machine.floats(address, x.length);
        for (let row = 0; row < n * heads; row++) {
          const t = Math.floor(row / heads);
          const of = (values: Float32Array) => values.subarray(row * d, (row + 1) * d);
          const table = [t * half, (t + 1) * half] as const;
          const [c, s] = [cos.subarray(...table), sin.subarray(...table)];
          const sizes = ropeReference(
            of(x).map(Math.abs),
            c.map(Math.abs),
            s.map((value) => -Math.abs(value)),
            pairs,
          );
          const others = ropeReference(of(x).map(Math.abs), c.map(Math.abs), s.map(Math.abs), pairs);
          // Two products and a sum; |a cos| + |b sin| is the larger of the two forms.
          expectClose(of(result), ropeReference(of(x), c, s, pairs), (i) => {
            return 2 * unit * Math.max(sizes[i] ?? 0, others[i] ?? 0) + 4 * least;
          });
          expectSame(of(result).subarray(rotated), of(x).subarray(rotated));
        }
      }),
    );
  });
});
