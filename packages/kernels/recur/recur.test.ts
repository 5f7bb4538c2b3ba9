import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, floats, random, unit } from '../testing/numbers.ts';
import { recur, recurBytes, recurScratch } from './index.ts';
import { featureMaps, type RecurNumbers, type RecurShape, recurReference } from './reference.ts';

const shapes = fc.record({
  heads: fc.integer({ min: 1, max: 3 }),
  width: fc.constantFrom(1, 2, 5, 8, 16),
  columns: fc.constantFrom(4, 12, 16, 20, 64),
  map: fc.constantFrom(...featureMaps),
  divides: fc.boolean(),
});

/** Reads the rows in pieces, each in a program of its own. */
function run(machine: Machine, shape: RecurShape, given: RecurNumbers, decays: boolean, pieces: readonly number[]) {
  const { heads, width, columns } = shape;
  const [narrow, wide] = [heads * width, heads * columns];
  machine.reset();
  const bytes = recurBytes(shape);
  const states = [0, 1].map(() => machine.output(bytes, new Uint8Array(bytes)));
  const inputs = { q: given.q, k: given.k, v: given.v };
  const at = Object.fromEntries(
    Object.entries(inputs).map(([name, numbers]) => [name, machine.input(Float32Array.from(numbers))]),
  );
  const factors = machine.input(Float32Array.from(given.decays));
  const out = machine.output(4 * given.n * wide);
  let first = 0;
  for (const [i, n] of pieces.entries()) {
    const rows = (address: number | undefined, stride: number) => ({
      address: (address ?? 0) + 4 * first * stride,
      stride,
    });
    machine.run(
      [
        recur({
          ...{ ...shape, n, q: rows(at['q'], narrow), k: rows(at['k'], narrow), v: rows(at['v'], wide) },
          ...{ out: rows(out, wide), from: states[i % 2] ?? 0, to: states[(i + 1) % 2] ?? 0 },
          ...(decays && { decays: factors }),
        }),
      ],
      recurScratch(shape),
    );
    first += n;
  }
  return { out: machine.floats(out, given.n * wide), state: machine.floats(states[pieces.length % 2] ?? 0, bytes / 4) };
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('what queries read is the sum over all keys before them, in any pieces to the same bits', () => {
    fc.assert(
      fc.property(
        ...[shapes, fc.integer(), fc.boolean()],
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
        (shape, seed, decays, pieces) => {
          const next = random(seed);
          const n = pieces.reduce((sum, piece) => sum + piece, 0);
          // Sums of weights of either sign may be nearly nothing.
          const positive = shape.divides && shape.map !== 'taylor';
          const narrow = () =>
            floats(n * shape.heads * shape.width, next).map((x) => (positive ? Math.abs(x) + 0.1 : x));
          const factors = Float32Array.from({ length: shape.heads }, (_, i) => (decays ? ([0.5, 0.99, 0][i] ?? 1) : 1));
          const given = {
            q: narrow(),
            k: narrow(),
            v: floats(n * shape.heads * shape.columns, next),
            decays: factors,
            n,
          };
          const whole = run(machine, shape, given, decays, [n]);
          const { out, size } = recurReference(shape, given);
          const terms = 16 + 2 * n + 2 * shape.width ** 2;
          expectClose(whole.out, out, (i) => (terms * unit + 1e-6) * (size[i] ?? 0) + 1e-30);
          for (const cut of [pieces, Array<number>(n).fill(1)]) {
            const other = run(machine, shape, given, decays, cut);
            expectSame(other.out, whole.out);
            expectSame(other.state, whole.state);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a state that does not decay after 3000 tokens is still that of the definition', () => {
    const shape = { heads: 1, width: 4, columns: 4, map: 'taylor', divides: true } as const;
    const next = random(7);
    const n = 3000;
    const given = { q: floats(4 * n, next), k: floats(4 * n, next), v: floats(4 * n, next), decays: [1], n };
    const result = run(machine, shape, given, false, [n]).out.slice(-4);
    const weights = Array.from({ length: n }, (_, t) => {
      let score = 0;
      for (let i = 0; i < 4; i++) score += ((given.q[4 * (n - 1) + i] ?? 0) * (given.k[4 * t + i] ?? 0)) / 2;
      return 1 + score + score ** 2 / 2;
    });
    const total = weights.reduce((sum, one) => sum + one, 0);
    const expected = [0, 1, 2, 3].map(
      (c) => weights.reduce((sum, one, t) => sum + one * (given.v[4 * t + c] ?? 0), 0) / total,
    );
    expectClose(result, expected, () => 1e-5);
  });
});
