import { type Command, command } from '../command.ts';

export interface Advance {
  /** Address of [count] entries (`headWords`), to each of which a slot has been appended. */
  readonly heads: number;
  readonly count: number;
  /** Address of int32 [n]: the tokens that come next, of all sequences. */
  readonly tokens: number;
  readonly n: number;
  /** Address of int32 [endCount]: tokens that end a text. */
  readonly ends: number;
  readonly endCount: number;
  readonly join?: boolean;
}

/**
 * Counts the slot that was appended as used, so that the same program can append the next. Where every token ends its text
 * the program ends too, behind the next command that threads meet behind.
 */
export function advance({ heads, count, tokens, n, ends, endCount, join }: Advance): Command {
  return command('advance', [heads, count, tokens, n, ends, endCount], join);
}
