import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quantize } from '../norm/index.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, type Fill, fills, floats, random, unit } from '../testing/numbers.ts';
import { type Activation, activate } from './index.ts';
import { activateReference } from './reference.ts';

const someFills = fills.filter((fill): fill is Exclude<Fill, 'large'> => fill !== 'large');
const activations: readonly Activation[] = ['silu', 'gelu'];

/**
 * σ(y) takes eʸ's 2 · 10⁻⁷, a sum, a quotient and a product; the tanh form rounds y in eight steps, each of which eʸ
 * turns into |y| units. e⁻ʸ ends at 2.4 · 10³⁸, so that results far below zero are x over that instead of less.
 */
function tolerance(activation: Activation, x: number, up: number, expected: number): number {
  const y = activation === 'silu' ? 0 : 1.6 * (Math.abs(x) + 0.045 * Math.abs(x) ** 3);
  const relative = 2e-7 + 5 * unit + 8 * unit * Math.min(y, 100);
  return relative * Math.abs(expected) + (Math.abs(x) * 5e-39 + 2e-45) * Math.abs(up) + 2e-45;
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test.each(activations)('%s(gate) · up equals its definition to float32 rounding', (activation) => {
    const cases = fc.record({
      seed: fc.integer(),
      n: fc.constantFrom(1, 2, 3, 7),
      columns: fc.constantFrom(4, 8, 12, 64, 1020, 1024, 1028, 2500),
      extra: fc.constantFrom(0, 8),
      spread: fc.constantFrom(1, 6, 40),
      fill: fc.constantFrom(...someFills),
    });
    fc.assert(
      fc.property(cases, ({ seed, n, columns, extra, spread, fill }) => {
        const next = random(seed);
        const stride = columns + extra;
        const gate = floats(n * stride, next, fill).map((value) => value * spread);
        const up = floats(n * stride, next);
        machine.reset();
        const out = machine.output(4 * n * columns);
        const inputs = { gate: machine.input(gate), up: machine.input(up) };
        machine.run([activate({ ...inputs, stride, n, columns, activation, out })]);
        const result = machine.floats(out, n * columns);
        for (let t = 0; t < n; t++) {
          const x = gate.subarray(t * stride, t * stride + columns);
          const u = up.subarray(t * stride, t * stride + columns);
          const expected = activateReference(activation, x, u);
          expectClose(result.subarray(t * columns, (t + 1) * columns), expected, (c) =>
            tolerance(activation, x[c] ?? 0, u[c] ?? 0, expected[c] ?? 0),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test.each(activations)(
    '%s in 8 bits is its float32 result, quantised, also in the place of the gate',
    (activation) => {
      for (const columns of [32, 96, 1024, 1056, 2528]) {
        const n = 3;
        const next = random(columns);
        machine.reset();
        const up = machine.input(floats(n * columns, next));
        const values = floats(n * columns, next);
        const gate = machine.input(values);
        const place = machine.output(4 * n * columns, values);
        const out = machine.output(4 * n * columns);
        const bytes = () => ({ q: machine.output(n * columns), meta: machine.output((n * columns) / 2) });
        const results = [bytes(), bytes(), bytes()] as const;
        const common = { up, stride: columns, n, columns, activation };
        machine.run([activate({ ...common, gate, bytes: results[0] })], 4 * Math.min(columns, 1024));
        machine.run([activate({ ...common, gate: place, out: place, bytes: results[1] })]);
        machine.run([activate({ ...common, gate, out })]);
        machine.run([quantize({ x: out, stride: columns, rows: n, columns }, results[2])]);
        expectSame(machine.floats(place, n * columns), machine.floats(out, n * columns));
        const [first, ...others] = results.map(({ q, meta }) => [
          machine.bytes(q, n * columns),
          machine.bytes(meta, (n * columns) / 2),
        ]);
        for (const other of others) expect(other).toEqual(first);
      }
    },
  );

  test.each(activations)('%s alone is that of gates over ones', (activation) => {
    for (const columns of [4, 64, 1020, 2500]) {
      const n = 3;
      const gate = floats(n * columns, random(columns)).map((x) => 3 * x);
      machine.reset();
      const [at, up] = [machine.input(gate), machine.input(new Float32Array(n * columns).fill(1))];
      const [alone, gated] = [machine.output(4 * gate.length), machine.output(4 * gate.length)];
      const call = { gate: at, stride: columns, n, columns, activation };
      machine.run([activate({ ...call, out: alone }), activate({ ...call, up, out: gated })]);
      expectSame(machine.floats(alone, gate.length), machine.floats(gated, gate.length));
    }
  });

  test.each(activations)('%s far from zero is the gate or nothing, and NaN is NaN', (activation) => {
    const gate = Float32Array.of(1e4, 1e30, 3e38, Number.POSITIVE_INFINITY, -1e3, -1e10, -1e30, Number.NaN);
    machine.reset();
    const up = machine.input(new Float32Array(8).fill(1));
    const out = machine.output(32);
    machine.run([activate({ gate: machine.input(gate), up, stride: 8, n: 1, columns: 8, activation, out })]);
    const result = machine.floats(out, 8);
    expectSame(result.subarray(0, 4), gate.subarray(0, 4));
    expectClose(result.subarray(4, 7), [0, 0, 0], () => 1e-8);
    expect(result[7]).toBeNaN();
  });
});
