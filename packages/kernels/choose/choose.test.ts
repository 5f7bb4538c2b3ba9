import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import {
  adjustmentWords,
  type Choice,
  choiceWordCount,
  choiceWords,
  choose,
  chooseScratch,
  mostLikely,
} from './index.ts';
import { chooseReference } from './reference.ts';

const someNumber = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 5, arbitrary: fc.float({ noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -0) },
);

const lengths = fc.constantFrom(1, 3, 15, 16, 17, 64, 131);

/** Rows of one length; some with a NaN, some without any number. */
const rows = lengths.chain((length) =>
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

const draw = fc.nat(2 ** 32 - 1);
const someChoice: fc.Arbitrary<Choice> = fc.record({
  adjustments: fc.uniqueArray(
    fc.record({
      id: fc.nat(130),
      penalty: fc.constantFrom(1, 1.25, 0.5),
      shift: fc.constantFrom(0, -1, 3, Number.NEGATIVE_INFINITY),
    }),
    { selector: ({ id }) => id, maxLength: 5 },
  ),
  temperature: fc.constantFrom(0, 1e-30, 0.25, 1, 4, 1e30),
  minP: fc.constantFrom(0, 0.01, 0.5, 1),
  topK: fc.constantFrom(0, 1, 2, 40, 1000),
  topP: fc.constantFrom(1, 0.9, 0.5, 1e-9),
  draw,
});

function chosen(machine: Machine, numbers: readonly (readonly number[])[], choices: readonly Choice[], gap: number) {
  const columns = numbers[0]?.length ?? 0;
  const stride = columns + gap;
  const x = new Float32Array(numbers.length * stride).fill(9);
  for (const [r, row] of numbers.entries()) x.set(row, r * stride);
  machine.reset();
  const words = choices.flatMap((choice) => choiceWords(choice, machine.input(adjustmentWords(choice.adjustments))));
  const out = machine.output(4 * numbers.length);
  const command = choose({
    ...{ x: machine.output(x.byteLength, x), stride, n: numbers.length, columns, out },
    choices: machine.input(Int32Array.from(words)),
  });
  expect(words.length).toBe(choices.length * choiceWordCount);
  machine.run([command], chooseScratch(columns));
  return [...machine.ints(out, numbers.length)];
}

/** What may be chosen when a share that falls next to the edge between two tokens may fall on either side. */
function allowed(row: readonly number[], choice: Choice): Set<number> {
  const floats = Float32Array.from(row);
  const near = [-1e-6, 0, 1e-6];
  const around = near.flatMap((p) => near.map((u) => ({ p: choice.topP * (1 + p), u: choice.draw + u * 2 ** 32 })));
  return new Set(
    around.map(({ p, u }) =>
      chooseReference(floats, { ...choice, topP: choice.topP === 1 ? 1 : p, draw: Math.min(2 ** 32, Math.max(0, u)) }),
    ),
  );
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('the first of the largest numbers is found, and no row with a NaN or without any number has one', () => {
    fc.assert(
      fc.property(rows, fc.constantFrom(0, 5), (numbers, gap) => {
        const expected = numbers.map((row) => chooseReference(Float32Array.from(row), mostLikely));
        const choices = numbers.map(() => mostLikely);
        expect(chosen(machine, numbers, choices, gap)).toEqual(expected);
      }),
    );
  });

  test('what is chosen is what sorting all of a row gives', () => {
    const one = fc.tuple(rows, fc.array(someChoice, { minLength: 5, maxLength: 5 }), fc.constantFrom(0, 5));
    fc.assert(
      fc.property(one, ([numbers, all, gap]) => {
        const columns = numbers[0]?.length ?? 0;
        const choices = numbers.map((_, r) => ({
          ...(all[r] ?? mostLikely),
          adjustments: (all[r] ?? mostLikely).adjustments.filter(({ id }) => id < columns),
        }));
        const found = chosen(machine, numbers, choices, gap);
        for (const [r, row] of numbers.entries()) {
          expect([...allowed(row, choices[r] ?? mostLikely)]).toContain(found[r]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('tokens are drawn in proportion to their probability, also those far from the most likely', () => {
    // A peak, a shoulder and a long tail that nine of ten draws fall into.
    const columns = 20_000;
    const logits = Array.from({ length: columns }, (_, i) => (i === 77 ? 9 : i % 1000 === 5 ? 4 : -((i * 7) % 13) / 4));
    const counts = (change: Partial<Choice>, keys: (id: number) => string) => {
      const found = new Map<string, number>();
      const draws = 256;
      for (let i = 0; i < draws; i++) {
        const choice = { ...mostLikely, temperature: 1, draw: Math.floor(((i + 0.5) / draws) * 2 ** 32), ...change };
        const [id = -1] = chosen(machine, [logits], [choice], 0);
        const key = keys(id);
        found.set(key, (found.get(key) ?? 0) + 1 / draws);
      }
      return found;
    };
    const kind = (id: number) => (id === 77 ? 'peak' : id % 1000 === 5 ? 'shoulder' : 'tail');
    for (const temperature of [1, 2]) {
      const weights = new Map<string, number>();
      for (const [id, logit] of logits.entries()) {
        weights.set(kind(id), (weights.get(kind(id)) ?? 0) + Math.exp(logit / temperature));
      }
      const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
      const found = counts({ temperature }, kind);
      for (const [name, weight] of weights) expect(found.get(name) ?? 0).toBeCloseTo(weight / total, 2);
    }
    expect([...counts({ topK: 21 }, kind).keys()]).toEqual(['peak', 'shoulder']);
    expect([...counts({ minP: 0.006 }, kind).keys()]).toEqual(['peak', 'shoulder']);
  });
});
