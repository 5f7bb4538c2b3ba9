import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, type Fill, fills, floats, ints, random, unit } from '../testing/numbers.ts';
import { loss, negativeLogLikelihood } from './index.ts';
import { lossReference } from './reference.ts';

const someFills = fills.filter((fill): fill is Exclude<Fill, 'large'> => fill !== 'large');

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  function run(logits: Float32Array, stride: number, n: number, v: number, targets: Int32Array): Float64Array {
    machine.reset();
    const out = machine.output(8 * n);
    machine.run([loss({ logits: machine.input(logits), stride, n, v, targets: machine.input(targets), out })], 64);
    const pairs = machine.floats(out, 2 * n);
    return Float64Array.from({ length: n }, (_, r) => negativeLogLikelihood(pairs[2 * r]!, pairs[2 * r + 1]!));
  }

  test('the loss is −ln softmax of the target, to float32 rounding of the logits and of one sum', () => {
    const cases = fc.record({
      seed: fc.integer(),
      n: fc.constantFrom(1, 2, 5),
      v: fc.constantFrom(1, 2, 3, 4, 5, 7, 64, 255, 1002),
      extra: fc.constantFrom(0, 1, 6),
      spread: fc.constantFrom(1, 10),
      fill: fc.constantFrom(...someFills),
    });
    fc.assert(
      fc.property(cases, ({ seed, n, v, extra, spread, fill }) => {
        const next = random(seed);
        const stride = v + extra;
        const logits = floats(n * stride, next, fill).map((value) => value * spread);
        const targets = ints(n, next, 0, v);
        const rows = Array.from({ length: n }, (_, r) => logits.subarray(r * stride, r * stride + v));
        const expected = rows.map((row, r) => lossReference(row, targets[r] ?? 0));
        expectClose(run(logits, stride, n, v, targets), expected, (r) => {
          const top = Math.max(...(rows[r] ?? []));
          const distance = Math.abs((rows[r]?.[targets[r] ?? 0] ?? 0) - top);
          // e^−z is off by z units for its argument, at most one part in e of the sum, and by 2 · 10⁻⁷ for itself; the
          // sum is of positive numbers in four lanes.
          return unit * distance + (v / 4 + 10 + v / Math.E) * unit + 2e-7;
        });
      }),
    );
  });

  test('logits of −∞ cost the others nothing, and all logits equal cost ln v', () => {
    const logits = new Float32Array(2 * 9).fill(3.25);
    logits.fill(Number.NEGATIVE_INFINITY, 1, 8);
    const losses = run(logits, 9, 2, 9, Int32Array.of(8, 4));
    expect(losses[0]).toBeCloseTo(Math.log(2), 6);
    expect(losses[1]).toBeCloseTo(Math.log(9), 6);
  });

  test.each([0, 3, 4, 8])('a logit that is NaN makes the loss NaN (column %i of 9)', (column) => {
    const logits = floats(9, random(1));
    logits[column] = Number.NaN;
    expect(run(logits, 9, 1, 9, Int32Array.of(2))[0]).toBeNaN();
  });

  test('a logit beyond float32 makes the loss NaN', () => {
    const logits = floats(9, random(1));
    logits[4] = Number.POSITIVE_INFINITY;
    expect(run(logits, 9, 1, 9, Int32Array.of(2))[0]).toBeNaN();
  });
});
