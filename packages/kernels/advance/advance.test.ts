import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headWords } from '../append/index.ts';
import { builds, Machine } from '../testing/machine.ts';
import { advance } from './index.ts';
import { advanceReference } from './reference.ts';

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test('all heads count more slots as used, and nothing else changes', () => {
    const head = fc.record({ table: fc.nat(), used: fc.nat(2 ** 20), sinks: fc.nat(99), window: fc.nat(99) });
    fc.assert(
      fc.property(fc.array(head, { minLength: 1, maxLength: 90 }), fc.nat(64), (heads, n) => {
        const entries = Int32Array.from(heads.flatMap((one) => headWords(one)));
        machine.reset();
        const at = machine.output(entries.byteLength, entries);
        machine.run([advance({ heads: at, count: heads.length, n })]);
        expect(machine.ints(at, entries.length)).toEqual(advanceReference(entries, n));
      }),
    );
  });
});
