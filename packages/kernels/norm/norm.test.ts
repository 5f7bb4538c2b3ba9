import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, fills, floats, least, random, unit } from '../testing/numbers.ts';
import { layerNorm, norm, quantize } from './index.ts';
import { layerNormReference, normReference, quantizeGroup, quantizeReference } from './reference.ts';

const someRows = fc.record({
  seed: fc.integer(),
  rows: fc.constantFrom(1, 2, 3, 7, 16),
  fill: fc.constantFrom(...fills),
  extraStride: fc.constantFrom(0, 3, 40),
});

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('the layer norm equals its definition, in place too', () => {
    const columns = fc.constantFrom(4, 8, 20, 64, 132, 576);
    fc.assert(
      fc.property(someRows, columns, fc.boolean(), ({ seed, rows, fill }, count, inPlace) => {
        const next = random(seed);
        const x = floats(rows * count, next, fill);
        const [weight, bias] = [floats(count, next), floats(count, next)];
        machine.reset();
        const out = machine.output(4 * x.length, x);
        const call = { rows, columns: count, weight: machine.input(weight), bias: machine.input(bias), epsilon: 1e-5 };
        machine.run([layerNorm({ ...call, x: inPlace ? out : machine.input(x), out })]);
        const result = machine.floats(out, x.length);
        for (let r = 0; r < rows; r++) {
          const row = (values: Float32Array) => values.subarray(r * count, (r + 1) * count);
          const expected = layerNormReference(row(x), Math.fround(1e-5), weight, bias);
          const numbers = row(x);
          const mean = numbers.reduce((sum, one) => sum + one, 0) / count;
          const spread = Math.sqrt(numbers.reduce((sum, one) => sum + (one - mean) ** 2, 0) / count + 1e-5);
          // The mean is off by some roundings of what it sums up, which the spread divides.
          const most = numbers.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
          const relative = (count / 4 + 20) * unit;
          expectClose(row(result), expected, (c) => {
            const size =
              Math.abs(expected[c] ?? 0) + Math.abs(bias[c] ?? 0) + Math.abs(weight[c] ?? 0) * (most / spread);
            return relative * size + 4 * least;
          });
        }
      }),
    );
  });

  test('the norm equals its definition to float32 rounding', () => {
    const options = fc.record({
      columns: fc.constantFrom(1, 2, 3, 4, 5, 7, 31, 64, 80, 130, 576, 1023),
      epsilon: fc.constantFrom(1e-5, 1e-6, 1),
      hasWeight: fc.boolean(),
      hasResidual: fc.boolean(),
      inPlace: fc.boolean(),
    });
    fc.assert(
      fc.property(someRows, options, (one, { columns, epsilon, hasWeight, hasResidual, inPlace }) => {
        const { rows, fill } = one;
        const next = random(one.seed);
        const stride = columns + one.extraStride;
        const x = floats(rows * stride, next, fill);
        const weight = floats(columns, next);
        const residual = floats(rows * stride, next);
        machine.reset();
        const out = machine.output(4 * rows * stride, inPlace ? x : residual);
        machine.run([
          norm({
            ...{ x: inPlace ? out : machine.input(x), stride, rows, columns, epsilon, out, outStride: stride },
            ...(hasWeight && { weight: machine.input(weight) }),
            // The residual stream is the usual place of the result.
            ...(hasResidual && { residual: inPlace ? machine.input(residual) : out }),
          }),
        ]);
        const result = machine.floats(out, rows * stride);
        for (let r = 0; r < rows; r++) {
          const row = (values: Float32Array) => values.subarray(r * stride, r * stride + columns);
          const w = hasWeight ? weight : undefined;
          const scaled = normReference(row(x), Math.fround(epsilon), w);
          const expected = normReference(row(x), Math.fround(epsilon), w, hasResidual ? row(residual) : undefined);
          expectClose(row(result), expected, (c) => {
            // Half the error of the mean (a sum of positive numbers in four lanes), the root, and two products.
            const relative = (columns / 8 + 10) * unit * Math.abs(scaled[c] ?? 0);
            return relative + unit * Math.abs(expected[c] ?? 0) + 4 * least * (1 + Math.abs(weight[c] ?? 0));
          });
          const gap = [r * stride + columns, (r + 1) * stride] as const;
          expectSame(result.subarray(...gap), (inPlace ? x : residual).subarray(...gap));
        }
      }),
    );
  });

  test('8 bits are off by half a step at most, and their sums are exact', () => {
    fc.assert(
      fc.property(someRows, fc.constantFrom(32, 64, 96, 160, 576), ({ seed, rows, fill, extraStride }, columns) => {
        const stride = columns + extraStride;
        const x = floats(rows * stride, random(seed), fill);
        machine.reset();
        const bytes = { q: machine.output(rows * columns), meta: machine.output((rows * columns) / 2) };
        machine.run([quantize({ x: machine.input(x), stride, rows, columns }, bytes)]);
        const q = new Int8Array(machine.bytes(bytes.q, rows * columns).buffer);
        const meta = machine.floats(bytes.meta, (rows * columns) / 8);
        for (let r = 0; r < rows; r++) {
          const row = x.subarray(r * stride, r * stride + columns);
          const expected = quantizeReference(row);
          for (const [group, scale] of expected.scale.entries()) {
            const from = group * quantizeGroup;
            const place = group * rows + r;
            const part = q.subarray(place * quantizeGroup, (place + 1) * quantizeGroup);
            const sum = (values: Int8Array) => values.reduce((total, value) => total + value, 0);
            const stored = Math.fround(scale);
            const sums = [sum(part), sum(part.subarray(0, 16)), sum(part.subarray(16))];
            expectSame(meta.subarray(4 * place, 4 * place + 4), [
              stored,
              ...sums.map((value) => Math.fround(stored * value)),
            ]);
            if (scale * 127 <= 1e-36) {
              expect(part.every((value) => value === 0)).toBe(true);
              continue;
            }
            // Half a step, and the roundings of the inverse and of the product, which are at most 127.
            const quotients = Float64Array.from(row.subarray(from, from + quantizeGroup), (value) => value / scale);
            expectClose(part, quotients, () => 0.5 + 127 * 3 * unit);
            expectClose(part, expected.q.subarray(from, from + quantizeGroup), (c) =>
              Math.abs(Math.abs((quotients[c] ?? 0) % 1) - 0.5) < 1e-4 ? 1 : 0,
            );
          }
        }
      }),
    );
  });

  test('the norm in 8 bits is the norm in float32, then quantised, whether or not the floats are kept', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(1, 2, 5), fc.constantFrom(32, 96, 576), (seed, rows, columns) => {
        const next = random(seed);
        machine.reset();
        const x = machine.input(floats(rows * columns, next));
        const weight = machine.input(floats(columns, next));
        const out = machine.output(4 * rows * columns);
        const bytes = () => ({ q: machine.output(rows * columns), meta: machine.output((rows * columns) / 2) });
        const results = [bytes(), bytes(), bytes()] as const;
        const common = { x, stride: columns, rows, columns, weight, epsilon: 1e-5 };
        machine.run([norm({ ...common, bytes: results[0] })], 4 * columns);
        machine.run([norm({ ...common, bytes: results[1], out })]);
        machine.run([quantize({ ...common, x: out }, results[2])]);
        const [first, ...others] = results.map(({ q, meta }) => [
          machine.bytes(q, rows * columns),
          machine.bytes(meta, (rows * columns) / 2),
        ]);
        for (const other of others) expect(other).toEqual(first);
      }),
      { numRuns: 20 },
    );
  });

  test('a number that is not finite shows in its own row, and a row of zeros is zeros', () => {
    for (const [column, bad] of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].entries()) {
      const x = floats(3 * 64, random(1));
      x.fill(0, 0, 64);
      x[64 + column] = bad;
      machine.reset();
      const address = machine.input(x);
      const out = machine.output(4 * x.length);
      const bytes = { q: machine.output(x.length), meta: machine.output(x.length / 2) };
      const rows = { x: address, stride: 64, rows: 3, columns: 64 };
      machine.run([norm({ ...rows, epsilon: 1e-5, out }), quantize(rows, bytes)]);
      const result = machine.floats(out, x.length);
      expect([...result.subarray(0, 64)].every((value) => value === 0)).toBe(true);
      expect(result[64 + column]).toBeNaN();
      expect([...result.subarray(64, 128)].every((value) => Number.isNaN(value))).toBe(Number.isNaN(bad));
      expect([...result.subarray(128)].every(Number.isFinite)).toBe(true);
      const meta = machine.floats(bytes.meta, x.length / 8);
      // Scale · number is not finite for any number of the bad group, and all other groups are sound.
      expect(Number.isFinite(meta[4])).toBe(false);
      expect([...meta.subarray(5, 8)].every((value) => Number.isNaN(value))).toBe(true);
      expect([...meta].map((value) => Number.isFinite(value))).toEqual(
        Array.from({ length: 24 }, (_, i) => i < 4 || i > 7),
      );
    }
  });
});
