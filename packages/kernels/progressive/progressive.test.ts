import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, fills, floats, ints, random, unit } from '../testing/numbers.ts';
import {
  type ProgressiveRows,
  packProgressive,
  progressive,
  progressiveBytes,
  progressiveFloat,
  progressiveScratch,
  progressiveSums,
  quantizeRows,
} from './index.ts';
import { progressiveReference, quantizeRowReference } from './reference.ts';

const cases = fc.record({
  seed: fc.integer(),
  rows: fc.constantFrom(4, 8, 20),
  group: fc.constantFrom(32, 64, 128),
  groups: fc.constantFrom(1, 2, 3, 9),
  n: fc.constantFrom(1, 2, 3, 4, 7, 70),
  extreme: fc.boolean(),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function problem({ seed, rows, group, groups, n, extreme }: Case) {
  const next = random(seed);
  const columns = group * groups;
  const steps = rows * groups;
  const some = (count: number, low: number, high: number) =>
    extreme ? ints(count, next, 0, 2).map((one) => (one ? high : low)) : ints(count, next, low, high + 1);
  const w: ProgressiveRows = {
    ...{ rows, columns, group, q: Uint8Array.from(some(rows * columns, 0, 15)) },
    ...{ scale: Uint8Array.from(some(steps, 1, 16)), zero: Uint8Array.from(some(steps, 0, 15)) },
    rowScale: floats(rows, next),
  };
  const x = Int8Array.from(some(n * columns, -127, 127));
  const sums = Int32Array.from({ length: x.length / group }, (_, i) =>
    x.subarray(i * group, (i + 1) * group).reduce((a, b) => a + b, 0),
  );
  return { w, x, sums, next };
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  function place(w: ProgressiveRows) {
    const { rows, columns, group } = w;
    return { layout: 'progressive', rows, columns, group, address: machine.input(packProgressive(w)) } as const;
  }

  test('sums are the integers that they stand for', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const { w, x, sums } = problem(one);
        machine.reset();
        const out = machine.output(4 * one.n * w.rows);
        const bytes = { q: machine.input(new Uint8Array(x.buffer)), sums: machine.input(sums) };
        machine.run(
          [progressiveSums(bytes, { matrix: place(w), n: one.n, out, stride: w.rows })],
          progressiveScratch(w.group),
        );
        expectSame(machine.ints(out, one.n * w.rows), progressiveReference(w, x, one.n));
      }),
      { numRuns: 100 },
    );
  });

  test('products are those integers times the factors of rows and tokens', () => {
    fc.assert(
      fc.property(cases, fc.boolean(), fc.boolean(), (one, hasBias, accumulate) => {
        const { w, x, sums, next } = problem(one);
        const { n, rows } = { ...one, ...w };
        const stride = rows + 4;
        const [scales, bias, before] = [floats(n, next), floats(rows, next), floats(n * stride, next)];
        machine.reset();
        const out = machine.output(4 * n * stride, before);
        const bytes = {
          ...{ q: machine.input(new Uint8Array(x.buffer)), sums: machine.input(sums), scales: machine.input(scales) },
        };
        const product = { matrix: place(w), n, out, stride, accumulate, ...(hasBias && { bias: machine.input(bias) }) };
        machine.run([progressive(bytes, product)], progressiveScratch(w.group));
        const result = machine.floats(out, n * stride);
        const exact = progressiveReference(w, x, n);
        for (let t = 0; t < n; t++) {
          const parts = Array.from({ length: rows }, (_, r) => [
            (exact[t * rows + r] ?? 0) * (w.rowScale[r] ?? 0) * (scales[t] ?? 0),
            hasBias ? (bias[r] ?? 0) : 0,
            accumulate ? (before[t * stride + r] ?? 0) : 0,
          ]);
          expectClose(
            result.subarray(t * stride, t * stride + rows),
            parts.map((all) => all.reduce((a, b) => a + b)),
            (r) => 5 * unit * (parts[r] ?? []).reduce((a, b) => a + Math.abs(b), 0),
          );
          const rest = [t * stride + rows, (t + 1) * stride] as const;
          expectSame(result.subarray(...rest), before.subarray(...rest));
        }
      }),
      { numRuns: 60 },
    );
  });

  test('products with floats are those with the numbers that weights stand for', () => {
    fc.assert(
      fc.property(cases, fc.constantFrom(...fills), (one, fill) => {
        const { w, next } = problem(one);
        const { n, rows, columns } = { ...one, ...w };
        const x = floats(n * columns, next, fill);
        machine.reset();
        const out = machine.output(4 * n * rows);
        machine.run(
          [progressiveFloat(machine.input(x), { matrix: place(w), n, out, stride: rows })],
          progressiveScratch(w.group),
        );
        const expected = progressiveReference(w, x, n).map((sum, i) => sum * (w.rowScale[i % rows] ?? 0));
        const sizes = Float64Array.from({ length: n * rows }, (_, i) => {
          const [t, r] = [Math.floor(i / rows), i % rows];
          const size = x.subarray(t * columns, (t + 1) * columns).reduce((sum, value) => sum + Math.abs(value), 0);
          return 240 * size * Math.abs(w.rowScale[r] ?? 0);
        });
        expectClose(machine.floats(out, n * rows), expected, (i) => (columns / 4 + 8) * unit * (sizes[i] ?? 0) + 1e-36);
      }),
      { numRuns: 60 },
    );
  });

  test('rows are rounded to 8 bits of their largest magnitude', () => {
    const options = fc.record({
      ...{ seed: fc.integer(), rows: fc.constantFrom(1, 2, 5), group: fc.constantFrom(32, 64, 128) },
      ...{ groups: fc.constantFrom(1, 2, 9), fill: fc.constantFrom(...fills), extra: fc.constantFrom(0, 4) },
    });
    fc.assert(
      fc.property(options, ({ seed, rows, group, groups, fill, extra }) => {
        const columns = group * groups;
        const stride = columns + extra;
        const x = floats(rows * stride, random(seed), fill);
        machine.reset();
        const to = {
          ...{ q: machine.output(rows * columns), scales: machine.output(4 * rows) },
          sums: machine.output(4 * rows * groups),
        };
        machine.run([quantizeRows({ x: machine.input(x), stride, rows, columns, group }, to)]);
        const q = new Int8Array(machine.bytes(to.q, rows * columns).buffer);
        const scales = machine.floats(to.scales, rows);
        for (let r = 0; r < rows; r++) {
          const row = x.subarray(r * stride, r * stride + columns);
          const expected = quantizeRowReference(row);
          expectClose([scales[r] ?? 0], [expected.scale], () => 2 * unit * expected.scale);
          // Where a number lies between two bytes either may come out.
          expectClose(q.subarray(r * columns, (r + 1) * columns), expected.q, (c) =>
            Math.abs(Math.abs((row[c] ?? 0) / expected.scale - (expected.q[c] ?? 0)) - 0.5) < 1e-4 ? 1 : 0,
          );
        }
        const sums = Int32Array.from({ length: rows * groups }, (_, i) =>
          q.subarray(i * group, (i + 1) * group).reduce((a, b) => a + b, 0),
        );
        expectSame(machine.ints(to.sums, rows * groups), sums);
      }),
    );
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('%d in a row shows in its scale', (value) => {
    const x = floats(64, random(1));
    x[40] = value;
    machine.reset();
    const to = { q: machine.output(64), scales: machine.output(4), sums: machine.output(8) };
    machine.run([quantizeRows({ x: machine.input(x), stride: 64, rows: 1, columns: 64, group: 32 }, to)]);
    expect(machine.floats(to.scales, 1)[0]).toBe(value);
  });
});

test('tiles take 4 bits, and two bytes for a row of a group', () => {
  expect((8 * progressiveBytes(576, 1536, 64)) / (576 * 1536)).toBe(4.25 + 32 / 1536);
  const none = new Uint8Array();
  const one = { rows: 3, columns: 64, group: 64, q: none, scale: none, zero: none, rowScale: new Float32Array(3) };
  expect(() => packProgressive(one)).toThrow('not whole tiles');
});
