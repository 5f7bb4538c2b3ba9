import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { command } from '../command.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, floats, random, unit } from '../testing/numbers.ts';
import { mergeReference, type Partial } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  /** Merges the parts of every row; all rows have as many parts. */
  function merge(rows: readonly (readonly Partial[])[], d: number): Float32Array {
    const splits = rows[0]?.length ?? 0;
    const partials = rows.flatMap((parts) => parts.flatMap(({ max, sum, out }) => [max, sum, ...Array.from(out)]));
    machine.reset();
    const out = machine.output(4 * rows.length * d);
    machine.run([command('merge', [machine.input(Float32Array.from(partials)), rows.length, splits, d, out])]);
    return machine.floats(out, rows.length * d);
  }

  const empty = (d: number): Partial => ({ max: Number.NEGATIVE_INFINITY, sum: 0, out: new Float32Array(d) });

  test('parts join to the attention over all, also where some saw nothing', () => {
    const cases = fc.record({
      seed: fc.integer(),
      count: fc.constantFrom(1, 2, 5),
      splits: fc.constantFrom(2, 3, 7),
      d: fc.constantFrom(16, 80, 256),
      spread: fc.constantFrom(0, 1, 30, 1000),
    });
    fc.assert(
      fc.property(cases, ({ seed, count, splits, d, spread }) => {
        const next = random(seed);
        const rows = Array.from({ length: count }, () =>
          Array.from({ length: splits }, (_, split): Partial => {
            if (split > 0 && next() < 0.3) return empty(d);
            return { max: Math.fround(spread * next()), sum: Math.fround(1 + next()), out: floats(d, next) };
          }),
        );
        const result = merge(rows, d);
        for (const [i, parts] of rows.entries()) {
          const size = mergeReference(
            parts.map((part) => ({ ...part, out: Float64Array.from(part.out, Math.abs) })),
            d,
          );
          // Each part's factor: 2 · 10⁻⁷ and the rounding of its exponent; then sums over the parts.
          const relative = 2 * (2e-7 + Math.min(spread, 90) * unit) + (2 * splits + 4) * unit;
          expectClose(
            result.subarray(i * d, (i + 1) * d),
            mergeReference(parts, d),
            (c) => relative * (size[c] ?? 0) + 1e-37,
          );
        }
      }),
    );
  });

  test('nothing seen in any part is zeros', () => {
    expectClose(merge([[empty(16), empty(16)]], 16), new Float64Array(16), () => 0);
  });

  test.each(['max', 'sum', 'out'] as const)('a part whose %s is NaN makes the result NaN', (where) => {
    const sound: Partial = { max: 1, sum: 2, out: new Float32Array(16).fill(1) };
    const bad = { ...sound, [where]: where === 'out' ? new Float32Array(16).fill(Number.NaN) : Number.NaN };
    expect([...merge([[sound, bad, sound]], 16)].every(Number.isNaN)).toBe(true);
  });

  test('the exponential is within 1.2 · 10⁻⁷ of 2ˣ, and 0 where 2ˣ is no normal number', () => {
    // A first part of sum 1 and no output, and a second whose sum counts for nothing: what comes out is the factor.
    const d = 8;
    const first: Partial = { max: 0, sum: 1, out: new Float32Array(d) };
    const steps = Array.from({ length: 20000 }, (_, i) => -(i * 126) / 20000);
    // Around every half the argument's reduction changes.
    const edges = Array.from({ length: 252 }, (_, i) => -i / 2).flatMap((x) => [x, x - 1e-6, x - 1e-5]);
    const tiny = [0, -1e-45, -1e-20, -1e-8, -6e-8, -1e-4];
    const xs = Float32Array.from([...steps, ...edges.filter((x) => x > -126), ...tiny]);
    const rows = Array.from(xs, (x): Partial[] => [first, { max: x, sum: 1e-38, out: new Float32Array(d).fill(1) }]);
    const result = merge(rows, d);
    const values = Array.from(xs, (_, i) => result[i * d] ?? 0);
    expectClose(
      values,
      Array.from(xs, (x) => 2 ** x),
      (i) => 1.2e-7 * 2 ** (xs[i] ?? 0),
    );
    const beyond = [-126.6, -127, -150, -1e10, -3e38, Number.NEGATIVE_INFINITY];
    const none = merge(
      beyond.map((max): Partial[] => [first, { max, sum: 1e-38, out: new Float32Array(d).fill(1) }]),
      d,
    );
    expectClose(none, new Float64Array(beyond.length * d), () => 0);
  });
});
