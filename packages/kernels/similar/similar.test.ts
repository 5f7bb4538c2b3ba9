import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, floats, random } from '../testing/numbers.ts';
import { packVector, similar, similarScratch, vectorBytes } from './index.ts';
import { type EventVectors, similarReference } from './reference.ts';

function unpacked(packed: Uint8Array, count: number, h: number, d: number): EventVectors {
  const stride = vectorBytes(h, d);
  const numbers = new Int8Array(count * h * d);
  const scales = new Float32Array(count * h);
  for (let i = 0; i < count; i++) {
    numbers.set(new Int8Array(packed.buffer, i * stride, h * d), i * h * d);
    scales.set(new Float32Array(packed.buffer, i * stride + h * d, h), i * h);
  }
  return { count, h, d, numbers, scales };
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('scores are the largest dot products of the mean query with vectors of an item, zeros and large numbers among them', () => {
    const parameters = fc.record({
      seed: fc.integer(),
      n: fc.integer({ min: 1, max: 9 }),
      h: fc.integer({ min: 1, max: 5 }),
      d: fc.constantFrom(16, 32, 64),
      count: fc.integer({ min: 1, max: 140 }),
      perGroup: fc.constantFrom(32, 64, 96),
      each: fc.constantFrom(1, 3, 8),
      size: fc.constantFrom(0, 1e-3, 1, 1e4),
    });
    fc.assert(
      fc.property(parameters, ({ seed, n, h, d, count: items, perGroup, each, size }) => {
        const next = random(seed);
        const count = items * each;
        const queries = floats(n * h * d, next);
        const stride = vectorBytes(h, d);
        const packed = new Uint8Array(count * stride);
        const given = Array.from({ length: count }, () => floats(h * d, next).map((x) => x * size));
        for (const [i, vector] of given.entries()) {
          packVector(vector, h, d, packed.subarray(i * stride, (i + 1) * stride));
        }
        machine.reset();
        const [out, counts] = [machine.output(4 * items * h), machine.output(24, new Uint8Array(24))];
        // Groups lie anywhere, here the last one first.
        const groupBytes = perGroup * each * stride;
        const parts = Array.from({ length: Math.ceil(items / perGroup) }, (_, i) =>
          packed.subarray(i * groupBytes, (i + 1) * groupBytes),
        );
        const addresses = parts.toReversed().map((part) => machine.input(part));
        const groups = machine.input(Int32Array.from(addresses.toReversed()));
        machine.run(
          [similar({ queries: machine.input(queries), n, h, d, groups, perGroup, count: items, each, out, counts })],
          similarScratch(h, d),
        );
        const vectors = unpacked(packed, count, h, d);
        const expected = similarReference(queries, n, vectors, each);
        // Rounding of the mean to 16 bits, and of the vectors to 8.
        const most = Math.max(...queries.map(Math.abs));
        const found = machine.floats(out, items * h);
        expectClose(found, expected, (i) => {
          const item = Math.floor(i / h) * each;
          const numbers = vectors.numbers.subarray(item * h * d, (item + each) * h * d);
          const sum = numbers.reduce((all, x) => all + Math.abs(x), 0);
          return 1e-6 + 4e-5 * most * sum * Math.max(...vectors.scales.subarray(item * h, (item + each) * h));
        });
        expect(machine.ints(counts, 6)[4]).toBe(count);
        for (const [i, vector] of given.entries()) {
          const largest = Math.max(...vector.map(Math.abs));
          const stood = vector.map(
            (_, c) => (vectors.numbers[i * h * d + c] ?? 0) * (vectors.scales[i * h + Math.floor(c / d)] ?? 0),
          );
          expectClose(stood, vector, () => largest / 254 + 1e-9 + largest * 1e-6);
        }
      }),
      { numRuns: 40 },
    );
  });
});
