import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, floats, random } from '../testing/numbers.ts';
import { delta, deltaBytes, deltaScratch } from './index.ts';
import { type DeltaNumbers, type DeltaShape, deltaReference } from './reference.ts';

const shapes = fc.record({
  heads: fc.integer({ min: 1, max: 3 }),
  width: fc.constantFrom(1, 2, 5, 16),
  columns: fc.constantFrom(4, 12, 16, 20, 64),
});

/** Reads the rows in pieces, each in a program of its own. */
function run(machine: Machine, shape: DeltaShape, given: DeltaNumbers, pieces: readonly number[]) {
  machine.reset();
  const bytes = deltaBytes(shape);
  const states = [0, 1].map(() => machine.output(bytes, new Uint8Array(bytes)));
  // Rows lie three floats further apart than they are wide.
  const spread = (numbers: ArrayLike<number>, width: number) => {
    const stride = width + 3;
    const wide = new Float32Array(given.n * stride);
    for (let i = 0; i < given.n * width; i++) wide[Math.floor(i / width) * stride + (i % width)] = numbers[i] ?? 0;
    return { address: machine.input(wide), stride };
  };
  const { heads } = shape;
  const [narrow, wide] = [heads * shape.width, heads * shape.columns];
  const [q, k] = [spread(given.q, narrow), spread(given.k, narrow)];
  const [v, beta] = [spread(given.v, wide), spread(given.beta, heads)];
  const out = { address: machine.output(4 * given.n * wide), stride: wide };
  let first = 0;
  for (const [i, n] of pieces.entries()) {
    const behind = ({ address, stride }: typeof q) => ({ address: address + 4 * first * stride, stride });
    const rows = { q: behind(q), k: behind(k), v: behind(v), beta: behind(beta), out: behind(out) };
    const [from = 0, to = 0] = i % 2 === 0 ? states : states.toReversed();
    machine.run([delta({ ...shape, ...rows, n, from, to })], deltaScratch(shape));
    first += n;
  }
  const state = machine.floats(states[pieces.length % 2] ?? 0, bytes / 4);
  return { out: machine.floats(out.address, given.n * wide), state };
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('what a key had stored is replaced, in any pieces to the same bits', () => {
    fc.assert(
      fc.property(
        ...[shapes, fc.integer(), fc.constantFrom(1, 30)],
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
        (shape, seed, most, pieces) => {
          const next = random(seed);
          const n = pieces.reduce((sum, piece) => sum + piece, 0);
          const narrow = () => floats(n * shape.heads * shape.width, next).map((x) => x * most);
          const v = floats(n * shape.heads * shape.columns, next);
          const given = { q: narrow(), k: narrow(), v, beta: floats(n * shape.heads, next).map((x) => x * most), n };
          const whole = run(machine, shape, given, [n]);
          const { out, state } = deltaReference(shape, given);
          // Keys are at most as long as 1 and β below it, so that no step makes an error larger.
          const largest = v.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
          expectClose(whole.out, out, () => 2e-6 * n * shape.width * largest);
          expectClose(whole.state, state, () => 2e-6 * n * shape.width * largest);
          for (const cut of [pieces, Array<number>(n).fill(1)]) {
            const other = run(machine, shape, given, cut);
            expectSame(other.out, whole.out);
            expectSame(other.state, whole.state);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
