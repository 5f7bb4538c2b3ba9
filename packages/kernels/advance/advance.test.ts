import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headWords } from '../append/index.ts';
import { scale } from '../scale/index.ts';
import { builds, Machine } from '../testing/machine.ts';
import { advance } from './index.ts';
import { advanceReference } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('all heads have one more used slot, and the program ends where all tokens do', () => {
    const head = fc.record({ table: fc.nat(), used: fc.nat(2 ** 20), sinks: fc.nat(99), window: fc.nat(99) });
    const ids = (minLength: number, maxLength: number) =>
      fc.array(fc.integer({ min: -1, max: 4 }), { minLength, maxLength });
    fc.assert(
      fc.property(fc.array(head, { minLength: 1, maxLength: 90 }), ids(1, 3), ids(0, 4), (heads, tokens, ends) => {
        const entries = Int32Array.from(heads.flatMap((one) => headWords(one)));
        machine.reset();
        const at = machine.output(entries.byteLength, entries);
        const x = machine.output(16, Float32Array.of(1, 1, 1, 1));
        const command = advance({
          ...{ heads: at, count: heads.length, tokens: machine.input(Int32Array.from(tokens)), n: tokens.length },
          ...{ ends: machine.input(Int32Array.from(ends)), endCount: ends.length, join: false },
        });
        const twice = () => scale({ x, n: 1, groups: 1, columns: 4, factors: machine.input(Float32Array.of(2)) });
        const run = () => machine.run([command, twice(), twice()]);
        const isEnd = tokens.every((id) => ends.includes(id));
        if (isEnd) expect(run).toThrow('the program ended with 1');
        else run();
        expect(machine.ints(at, entries.length)).toEqual(advanceReference(entries));
        expect([...machine.floats(x, 4)]).toEqual(new Array(4).fill(isEnd ? 2 : 4));
      }),
    );
  });
});
