import type { Command } from '../command.ts';
import type { Work } from '../work.ts';

/** A command of the module `limits-…` with the work that it does. */
export interface LimitCommand {
  readonly command: Command;
  readonly work: Work;
}

export const limitScratch = 16384 + 64 * 32;
const pieceBytes = 2 ** 20;
/** Rounds that a thread takes at a time, some tens of microseconds of them. */
const roundsAtOnce = 64;
const rowsPerRound = 64;

/** Reads `pieces` MiB of memory, `passes` times, from one place of a MiB or from four at once. */
export function readMemory(address: number, pieces: number, passes: number, streams: 1 | 4): LimitCommand {
  const work = { bytes: pieces * pieceBytes * passes, ops: 0, arithmetic: 'integer' } as const;
  return { command: { opcode: 1, words: [address, pieces, passes, streams], join: false }, work };
}

/** Dot products of bytes in registers, as the integer products have them: 256 multiplications and additions a row. */
export function integerDots(items: number): LimitCommand {
  const ops = items * roundsAtOnce * rowsPerRound * 2 * 256;
  return {
    command: { opcode: 2, words: [roundsAtOnce, items], join: false },
    work: { bytes: 0, ops, arithmetic: 'integer' },
  };
}

/** Multiplications and additions of float32 in registers: 64 of each a row. */
export function floatMadds(items: number): LimitCommand {
  const ops = items * roundsAtOnce * rowsPerRound * 2 * 64;
  return {
    command: { opcode: 3, words: [roundsAtOnce, items], join: false },
    work: { bytes: 0, ops, arithmetic: 'float' },
  };
}
