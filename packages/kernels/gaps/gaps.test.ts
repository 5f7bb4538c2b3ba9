import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, floats, ints, random } from '../testing/numbers.ts';
import { boundaries, gapFeatures, gapWidth } from './index.ts';
import { boundaryReference, gapReference } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('features of gaps are those of their windows, and zeros where there is none', () => {
    const sizes = fc.record({
      seed: fc.integer(),
      n: fc.constantFrom(1, 7, 8, 9, 40),
      w: fc.constantFrom(1, 2, 4, 8),
      heads: fc.constantFrom(1, 2, 4),
      size: fc.constantFrom(4, 16, 48),
      spare: fc.constantFrom(0, 5),
      fill: fc.constantFrom('normal', 'spiky', 'equal', 'zeros' as const),
    });
    fc.assert(
      fc.property(sizes, ({ seed, n, w, heads, size, spare, fill }) => {
        const next = random(seed);
        const c = Math.ceil((heads * size) / 16) * 16;
        const stride = (2 + heads) * c + spare;
        const rows = floats(n * stride, next, fill);
        const norm = { bias: floats(c, next), normWeight: floats(c, next), normBias: floats(c, next), epsilon: 1e-5 };
        machine.reset();
        const out = machine.output(4 * n * gapWidth(c));
        machine.run(
          [
            gapFeatures({
              ...{ rows: machine.input(rows), n, stride, c, heads, w, epsilon: norm.epsilon, out },
              bias: machine.input(norm.bias),
              normWeight: machine.input(norm.normWeight),
              normBias: machine.input(norm.normBias),
            }),
          ],
          4 * c + 64,
        );
        const features = machine.floats(out, n * gapWidth(c));
        for (let gap = 0; gap < n; gap++) {
          const own = features.subarray(gap * gapWidth(c), (gap + 1) * gapWidth(c));
          if (gap < w - 1 || gap >= n - w) {
            expectClose(own, new Float64Array(gapWidth(c)), () => 0);
            continue;
          }
          const part = (t: number, i: number) =>
            rows.subarray((gap - w + 1 + t) * stride + i * c, (gap - w + 1 + t) * stride + (i + 1) * c);
          const each = Array.from({ length: 2 * w }, (_, t) => t);
          const window = {
            queries: each.map((t) => part(t, 0)),
            keys: each.map((t) => part(t, 1)),
            outputs: each.map((t) => Array.from({ length: heads }, (_, head) => part(t, 2 + head))),
          };
          const expected = gapReference(window, norm);
          // Scores of numbers in the hundreds are in the thousands: float32 has them to a few ten-thousandths.
          const tolerance = fill === 'spiky' ? 0.05 : 2e-4;
          expectClose(own, expected, (i) => tolerance * (1 + Math.abs(expected[i] ?? 0)));
        }
      }),
      { numRuns: 40 },
    );
  });

  test('cuts are made where logits are largest, and nowhere near one another', () => {
    const sizes = fc.record({
      seed: fc.integer(),
      n: fc.constantFrom(1, 5, 8, 64, 300),
      units: fc.constantFrom(4, 24),
      w: fc.constantFrom(1, 4),
      threshold: fc.constantFrom(-10, 0, 1.1),
      reach: fc.constantFrom(0, 8),
      most: fc.constantFrom(0, 3, 40),
      together: fc.constantFrom(0, 1, 20, 64),
      before: fc.constantFrom(0, 3),
      level: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, ({ seed, n, units, before, level, ...cut }) => {
        const next = random(seed);
        // Whole numbers make ties.
        const hidden = level ? Float32Array.from(ints(n * units, next, -2, 3)) : floats(n * units, next);
        const weights = level ? Float32Array.from(ints(units, next, -1, 2)) : floats(units, next);
        machine.reset();
        const ends = machine.output(4 * (before + n), new Int32Array(before + n).fill(-7));
        const [count, logits] = [machine.output(4), machine.output(4 * n)];
        const call = { ...cut, n, units, bias: 0.25, position: 1000, ends, before, count, logits };
        machine.run([
          boundaries({
            ...{ ...call, room: machine.output(4 * n) },
            hidden: machine.input(hidden),
            weights: machine.input(weights),
          }),
        ]);
        const own = machine.floats(logits, n);
        const expected = Float64Array.from({ length: n }, (_, i) =>
          weights.reduce((sum, weight, k) => sum + weight * Math.max(0, hidden[i * units + k] ?? 0), 0.25),
        );
        expectClose(own, expected, () => 1e-4);
        const wanted = boundaryReference(own, cut).map((end) => 1000 + end);
        expect(machine.ints(count, 1)[0]).toBe(before + wanted.length);
        expect([...machine.ints(ends, before + wanted.length)]).toEqual([...Array(before).fill(-7), ...wanted]);
      }),
      { numRuns: 150 },
    );
  });
});
