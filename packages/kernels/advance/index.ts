import { type Command, command } from '../command.ts';

export interface Advance {
  /** Address of [count] entries (`headWords`). */
  readonly heads: number;
  readonly count: number;
  /** Slots that have been appended to every head. */
  readonly n: number;
  readonly join?: boolean;
}

/** Counts appended slots as used, so that the same program can append more. */
export function advance({ heads, count, n, join }: Advance): Command {
  return command('advance', [heads, count, n], join);
}
