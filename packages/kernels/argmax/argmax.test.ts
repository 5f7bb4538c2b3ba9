import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { argmax } from './index.ts';
import { argmaxReference } from './reference.ts';

const someNumber = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 5, arbitrary: fc.float({ noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -0) },
);

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('the first of the largest numbers is found, and no row with a NaN or without any number has one', () => {
    const columns = fc.constantFrom(1, 3, 15, 16, 17, 64, 131);
    const rows = columns.chain((length) =>
      fc.array(
        fc.oneof(
          { weight: 8, arbitrary: fc.array(someNumber, { minLength: length, maxLength: length }) },
          { weight: 1, arbitrary: fc.constant(new Array<number>(length).fill(Number.NEGATIVE_INFINITY)) },
          {
            weight: 2,
            arbitrary: fc.nat(length - 1).map((at) => Array.from({ length }, (_, i) => (i === at ? Number.NaN : i))),
          },
        ),
        { minLength: 1, maxLength: 5 },
      ),
    );
    fc.assert(
      fc.property(rows, fc.constantFrom(0, 5), (numbers, gap) => {
        const count = numbers[0]?.length ?? 0;
        const stride = count + gap;
        const x = new Float32Array(numbers.length * stride).fill(9);
        for (const [r, row] of numbers.entries()) x.set(row, r * stride);
        machine.reset();
        const out = machine.output(4 * numbers.length);
        machine.run([argmax({ x: machine.input(x), stride, n: numbers.length, columns: count, out })]);
        const expected = numbers.map((row) => argmaxReference(Float32Array.from(row)));
        expect([...machine.ints(out, numbers.length)]).toEqual(expected);
      }),
    );
  });
});
