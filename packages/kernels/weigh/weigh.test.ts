import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pageFormats } from '../append/index.ts';
import { attendScratch } from '../attend/index.ts';
import { mostSlots, type Problem, problem, seenBy } from '../testing/attention.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, random } from '../testing/numbers.ts';
import { placeHeads } from '../testing/pages.ts';
import { type Weigh, weigh, weighStride } from './index.ts';
import { weighReference } from './reference.ts';

const someSizes = fc.record({
  seed: fc.integer(),
  group: fc.constantFrom(1, 3, 8),
  g: fc.constantFrom(1, 3),
  d: fc.constantFrom(16, 64, 80),
  n: fc.constantFrom(1, 2, 7, 9, 20),
  window: fc.constantFrom(0, 0, 5, 60),
  mostUsed: fc.constantFrom(0, 1, 31, 300),
  sight: fc.boolean(),
  fill: fc.constantFrom('normal', 'spiky', 'equal', 'zeros', 'denormal' as const),
});

/** Weights of every row, [n, h] of one number per slot. */
function expected(p: Problem, stride: number): Float64Array {
  const all = new Float64Array(p.n * p.h * stride);
  for (let row = 0; row < p.n * p.h; row++) {
    const query = p.queries.subarray(row * p.d, (row + 1) * p.d);
    const seen = seenBy(p, Math.floor((row % p.h) / (p.h / p.g)));
    all.set(weighReference(query, p.positions[Math.floor(row / p.h)] ?? 0, seen), row * stride);
  }
  return all;
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  function run(p: Problem, rows: Weigh['rows'], start?: Float32Array): Float32Array {
    const { n, h, g, d } = p;
    const stride = weighStride(mostSlots(p));
    const count = (rows === 'each' ? n : 1) * h * stride;
    machine.reset();
    const call: Weigh = {
      ...p,
      queries: machine.input(p.queries),
      positions: machine.input(p.positions),
      heads: placeHeads(machine, p.format, d, p.heads, random(n)),
      states: machine.output(8 * n * h),
      out: machine.output(4 * count, start ?? new Float32Array(count).fill(Number.NaN)),
      ...{ appended: n, stride, rows },
    };
    machine.run(weigh(call), attendScratch(h, g, d));
    return machine.floats(call.out, count);
  }

  test.each(pageFormats)('weights over %s pages are the softmax of what the pages stand for', (format) => {
    fc.assert(
      fc.property(someSizes, (sizes) => {
        const p = problem({ ...sizes, format });
        const weights = run(p, 'each');
        const stride = weighStride(mostSlots(p));
        expectClose(weights, expected(p, stride), () => 2e-4);
        for (let row = 0; row < p.n * p.h; row++) {
          const sum = weights.subarray(row * stride, (row + 1) * stride).reduce((total, weight) => total + weight, 0);
          expect(Math.min(Math.abs(sum - 1), Math.abs(sum))).toBeLessThan(1e-4);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('rows that are added up are the sum of the rows, on top of what was there', () => {
    fc.assert(
      fc.property(someSizes, (sizes) => {
        const p = problem({ ...sizes, format: 'f16' });
        const stride = weighStride(mostSlots(p));
        const each = run(p, 'each');
        const start = new Float32Array(p.h * stride).map((_, i) => i % 3);
        const sums = Float64Array.from(start);
        for (const [i, weight] of each.entries()) {
          const column = i % (p.h * stride);
          sums[column] = (sums[column] ?? 0) + weight;
        }
        const added = run(p, 'added', start);
        expectClose(added, sums, () => 1e-5);
      }),
      { numRuns: 25 },
    );
  });
});
