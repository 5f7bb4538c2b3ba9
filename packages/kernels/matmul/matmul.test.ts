import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Machine, productBuilds } from '../testing/machine.ts';
import { expectClose, expectSame, fills, floats, least, random, unit } from '../testing/numbers.ts';
import { oneRow, quantizedRows, weights } from '../testing/weights.ts';
import { matmul, matmulFloat, matmulScratch } from './index.ts';
import { type Layout, layouts } from './layout.ts';
import { matmulReference } from './reference.ts';

const quantizedLayouts = layouts.filter((layout) => layout !== 'f32');
/** `matmulFloat` expands 1024 columns at a time: sizes on both sides of that and between. */
const someColumns = fc.constantFrom(16, 32, 48, 96, 160, 224, 1008, 1056, 2080);
const someFill = fc.constantFrom(...fills);

const someProduct = fc.record({
  seed: fc.integer(),
  n: fc.constantFrom(1, 2, 3, 4, 5, 7, 13, 64, 65, 67),
  rows: fc.constantFrom(1, 3, 7, 8, 9, 16, 21, 40, 77, 125),
  weightFill: someFill,
  inputFill: someFill,
  hasBias: fc.boolean(),
  accumulate: fc.boolean(),
  extraStride: fc.constantFrom(0, 8, 24),
});

interface SomeProduct {
  readonly seed: number;
  readonly n: number;
  readonly rows: number;
  readonly hasBias: boolean;
  readonly accumulate: boolean;
  readonly extraStride: number;
}

interface Operands {
  readonly x: Float64Array;
  readonly w: Float64Array;
  /** |w| before its parts cancel: |scale · q'| + |min'| with q' from 0 on. */
  readonly wSize: Float64Array;
  readonly columns: number;
}

/** Runs one product and compares it with the reference, to the float32 rounding of its sums. */
function check(
  machine: Machine,
  layout: Layout,
  operands: Operands,
  one: SomeProduct,
  record: (product: Parameters<typeof matmulFloat>[1]) => ReturnType<typeof matmulFloat>,
): Float32Array {
  const { n, rows, seed, hasBias, accumulate, extraStride } = one;
  const { x, w, wSize, columns } = operands;
  const next = random(seed + 1);
  const padded = Math.ceil(rows / 8) * 8;
  const stride = padded + extraStride;
  const size = Math.sqrt(columns) * mean(x) * mean(wSize);
  const bias = floats(padded, next).map((value) => value * size);
  const before = floats(n * stride, next).map((value) => value * size);
  const out = machine.output(4 * n * stride, before);
  const matrix = { layout, rows, columns, address: 0 };
  const command = record({ matrix, n, out, stride, bias: hasBias ? machine.input(bias) : 0, accumulate });
  machine.run([command], layout === 'f32' ? 0 : Math.max(matmulScratch, 4 * 8 * Math.min(1024, columns)));
  const all = machine.floats(out, n * stride);
  const slice = (values: Float32Array) =>
    Float32Array.from({ length: n * rows }, (_, i) => values[Math.floor(i / rows) * stride + (i % rows)] ?? Number.NaN);
  const result = slice(all);
  const added = { ...(hasBias && { bias }), ...(accumulate && { out: slice(before) }) };
  const expected = matmulReference(x, w, { n, rows, columns, ...added });
  const sizes = matmulReference(x.map(Math.abs), wSize, { n, rows, columns });
  expectClose(result, expected, (i) => {
    const others = Math.abs(added.bias?.[i % rows] ?? 0) + Math.abs(added.out?.[i] ?? 0);
    // Every product passes at most one addition per column and a few roundings of its own; a product of scales that
    // is no normal number is off by one `least`, times at most 32 products of bytes.
    return (columns + 12) * unit * ((sizes[i] ?? 0) + others) + columns * (1 + (sizes[i] ?? 0)) * 127 * 255 * least;
  });
  // Columns of `out` behind the padded rows are not the product's.
  for (let t = 0; t < n; t++) {
    const gap = [t * stride + padded, (t + 1) * stride] as const;
    expectSame(all.subarray(...gap), before.subarray(...gap));
  }
  return result;
}

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;

describe.each(productBuilds)('%s build', (build) => {
  const machine = new Machine(build);

  describe.each(quantizedLayouts)('%s', (layout) => {
    const columnsOf = fc.constantFrom(32, 64, 96, 160, 544, 1056);

    test('matmul is the product of the quantised operands, rounded to float32', () => {
      fc.assert(
        fc.property(someProduct, columnsOf, (one, columns) => {
          const next = random(one.seed);
          const w = weights(layout, one.rows, columns, next, one.weightFill);
          const x = quantizedRows(one.n, columns, next, one.inputFill);
          const address = machine.reset().input(w.packed);
          const q = machine.input(x.q);
          const meta = machine.input(x.meta);
          const operands = { x: x.values, w: w.values, wSize: w.sizes, columns };
          check(machine, layout, operands, one, (product) =>
            matmul({ q, meta }, { ...product, matrix: { ...product.matrix, address } }),
          );
        }),
        { numRuns: 40 },
      );
    });

    test("a token's result does not depend on the tokens beside it", () => {
      fc.assert(
        fc.property(fc.integer(), fc.constantFrom(2, 3, 7, 64, 65, 130), columnsOf, (seed, n, columns) => {
          const next = random(seed);
          const w = weights(layout, 24, columns, next);
          const x = quantizedRows(n, columns, next);
          const float = floats(n * columns, next);
          const run = (rows: { q: Uint8Array; meta: Float32Array }, first: number, count: number) => {
            machine.reset();
            const matrix = { layout, rows: 24, columns, address: machine.input(w.packed) };
            const input = machine.input(float.subarray(first * columns, (first + count) * columns));
            const out = machine.output(count * 24 * 4);
            const outFloat = machine.output(count * 24 * 4);
            const bytes = { q: machine.input(rows.q), meta: machine.input(rows.meta) };
            machine.run(
              [
                matmul(bytes, { matrix, n: count, out, stride: 24 }),
                matmulFloat(input, { matrix, n: count, out: outFloat, stride: 24 }),
              ],
              matmulScratch,
            );
            return [machine.ints(out, count * 24), machine.ints(outFloat, count * 24)] as const;
          };
          const [all, allFloat] = run(x, 0, n);
          for (let t = 0; t < n; t++) {
            const [alone, aloneFloat] = run(oneRow(x, n, t), t, 1);
            expect(alone).toEqual(all.slice(t * 24, t * 24 + 24));
            expect(aloneFloat).toEqual(allFloat.slice(t * 24, t * 24 + 24));
          }
        }),
        { numRuns: 10 },
      );
    });

    test('one number that is not finite spoils its own token and no other', () => {
      const next = random(7);
      const w = weights(layout, 16, 96, next);
      const rows = floats(6 * 96, next);
      for (const [bad, value] of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].entries()) {
        const x = quantizedRows(6, 96, next);
        // As `quantize` leaves a group with such a number.
        const meta = x.meta.slice();
        const at = 4 * (6 + bad);
        meta[at] = bad === 0 ? Number.NaN : Number.POSITIVE_INFINITY;
        meta.fill(Number.NaN, at + 1, at + 4);
        const floatRows = rows.slice();
        floatRows[bad * 96 + 40] = value;
        machine.reset();
        const matrix = { layout, rows: 16, columns: 96, address: machine.input(w.packed) };
        const out = machine.output(6 * 16 * 4);
        const outFloat = machine.output(6 * 16 * 4);
        machine.run(
          [
            matmul({ q: machine.input(x.q), meta: machine.input(meta) }, { matrix, n: 6, out, stride: 16 }),
            matmulFloat(machine.input(floatRows), { matrix, n: 6, out: outFloat, stride: 16 }),
          ],
          matmulScratch,
        );
        for (const result of [machine.floats(out, 96), machine.floats(outFloat, 96)]) {
          const spoilt = Array.from({ length: 6 }, (_, t) => result.slice(t * 16, t * 16 + 16));
          expect(spoilt.map((row) => row.every(Number.isFinite))).toEqual([0, 1, 2, 3, 4, 5].map((t) => t !== bad));
          expect(spoilt[bad]?.some(Number.isFinite)).toBe(false);
        }
      }
    });
  });

  test.each(layouts)('matmulFloat is the product with the numbers that %s stands for', (layout) => {
    fc.assert(
      fc.property(someProduct, someColumns, (one, some) => {
        const group = layout.includes('x32') ? 32 : 16;
        const columns = layout === 'f32' ? some - (one.seed & 7) : Math.ceil(some / group) * group;
        const next = random(one.seed);
        const w = weights(layout, one.rows, columns, next, one.weightFill);
        const x = floats(one.n * columns, next, one.inputFill);
        const address = machine.reset().input(w.packed);
        const input = machine.input(x);
        const operands = { x: Float64Array.from(x), w: w.values, wSize: w.sizes, columns };
        check(machine, layout, operands, one, (product) =>
          matmulFloat(input, { ...product, matrix: { ...product.matrix, address } }),
        );
      }),
      { numRuns: 40 },
    );
  });

  test('the bytes of a product are shared out in items without a block lost or done twice', () => {
    // An item is about 12 KiB: 67 blocks of 2080 columns are many items, with a smaller last one.
    for (const rows of [8 * 67, 8 * 67 - 3]) {
      const next = random(rows);
      const w = weights('q4x32', rows, 2080, next);
      const x = quantizedRows(1, 2080, next);
      const address = machine.reset().input(w.packed);
      const q = machine.input(x.q);
      const meta = machine.input(x.meta);
      const operands = { x: x.values, w: w.values, wSize: w.sizes, columns: 2080 };
      const one = { seed: 1, n: 1, rows, hasBias: true, accumulate: true, extraStride: 0 };
      check(machine, 'q4x32', operands, one, (product) =>
        matmul({ q, meta }, { ...product, matrix: { ...product.matrix, address } }),
      );
    }
  });
});
