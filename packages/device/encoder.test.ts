import type { Command } from '@loci/kernels';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandsOf, Encoder } from './encoder.ts';

const words = fc.array(fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), fc.nat(20)), { maxLength: 400 });
const someCommand = fc.record({ opcode: fc.integer({ min: 1, max: 99 }), words, join: fc.boolean() });

const asInt32 = ({ words, ...rest }: Command): Command => ({ ...rest, words: words.map((word) => word | 0) });

test('a program is the commands recorded, in order and however they are given, and can be continued', () => {
  fc.assert(
    fc.property(fc.array(someCommand, { maxLength: 12 }), fc.array(someCommand, { maxLength: 12 }), (first, second) => {
      const encoder = new Encoder();
      encoder.record(...first);
      const program = encoder.program();
      expect(commandsOf(program)).toEqual(first.map(asInt32));
      encoder.record(second);
      expect(commandsOf(program)).toEqual(first.map(asInt32));
      expect(commandsOf(encoder.program())).toEqual([...first, ...second].map(asInt32));
    }),
  );
});

test('the room for the end is kept at every length', () => {
  for (let count = 1000; count < 1030; count++) {
    const encoder = new Encoder();
    const command = { opcode: 7, words: Array.from({ length: count }, (_, i) => i), join: true };
    encoder.record(command);
    expect(commandsOf(encoder.program())).toEqual([command]);
  }
});
