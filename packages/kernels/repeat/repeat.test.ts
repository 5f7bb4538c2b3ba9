import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headBytes, headWordOfUsed, headWords } from '../append/index.ts';
import { choiceWords, choose, chooseScratch, mostLikely } from '../choose/index.ts';
import { add } from '../combine/index.ts';
import { embed } from '../embed/index.ts';
import { builds, Machine } from '../testing/machine.ts';
import { floats, random } from '../testing/numbers.ts';
import { weights } from '../testing/weights.ts';
import { repeat, stepWordCount, stepWordOfDone, stepWords } from './index.ts';
import { repeatReference } from './reference.ts';

const v = 16;

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('a program runs step by step with the input of each, until steps or texts are at their end', () => {
    const id = fc.nat(v - 1);
    const cases = fc.record({
      steps: fc.integer({ min: 1, max: 9 }),
      seed: fc.integer(),
      first: fc.array(id, { minLength: 1, maxLength: 3 }),
      ends: fc.uniqueArray(id, { maxLength: 6 }),
      used: fc.array(fc.nat(2 ** 20), { minLength: 1, maxLength: 90 }),
    });
    fc.assert(
      fc.property(cases, ({ steps, seed, first, ends, used }) => {
        const n = first.length;
        const words = (values: readonly number[]) => machine.output(values.length * 4, Int32Array.from(values));
        machine.reset();
        const next = random(seed);
        const table = weights('f32', v, v, next);
        const shifts = floats(steps * v, next);
        const heads = words(used.flatMap((one) => headWords({ table: 7, used: one })));
        const [ids, state, tokens] = [words(first), words(stepWords(steps)), words(first)];
        const taken = machine.output(steps * n * 4);
        const x = machine.output(n * v * 4);
        const block = machine.output(shifts.byteLength, shifts);
        machine.run(
          [
            embed({
              table: { layout: 'f32', rows: v, columns: v, address: machine.input(table.packed) },
              ...{ ids, n, out: x, factor: 1 },
            }),
            add({
              ...{ a: { address: x, stride: v }, b: { address: block, stride: 0 }, out: { address: x, stride: v } },
              ...{ n, columns: v },
            }),
            choose({
              ...{ x, stride: v, n, columns: v, out: tokens },
              choices: machine.input(Int32Array.from(first.flatMap(() => choiceWords(mostLikely, 0)))),
            }),
            repeat({
              ...{ steps: state, n, tokens, ids, taken, ends: words(ends), endCount: ends.length },
              ...{ heads: [{ heads, count: used.length }], blocks: [{ address: block, bytes: v * 4 }] },
            }),
          ],
          chooseScratch(v) + 1024,
        );
        const expected = repeatReference(first, steps, ends, (from, step) => {
          const row = Array.from({ length: v }, (_, to) =>
            Math.fround((table.values[from * v + to] ?? 0) + (shifts[step * v + to] ?? 0)),
          );
          return row.indexOf(Math.max(...row));
        });
        expect(machine.ints(state, stepWordCount)[stepWordOfDone]).toBe(expected.length);
        expect([...machine.ints(taken, expected.length * n)]).toEqual(expected.flat());
        const entries = machine.ints(heads, (used.length * headBytes) / 4);
        const found = used.map((_, head) => entries[(head * headBytes) / 4 + headWordOfUsed]);
        expect(found).toEqual(used.map((one) => one + expected.length - 1));
      }),
    );
  });
});
