import { type Command, command } from '../command.ts';

export interface Repeat {
  /** Address of the words of `stepWords`. */
  readonly steps: number;
  /** Sequences. */
  readonly n: number;
  /** Address of int32 [n]: the tokens that were chosen. */
  readonly tokens: number;
  /** Address of int32 [n], which the program begins with. */
  readonly ids: number;
  /** Address of int32 [steps, n], where the tokens of all steps are left. */
  readonly taken: number;
  /** Address of int32 [endCount]: where all tokens are among these the program ends. */
  readonly ends: number;
  readonly endCount: number;
  /** Heads to each of which a slot has been appended: addresses of [count] entries (`headWords`). */
  readonly heads: readonly { readonly heads: number; readonly count: number }[];
  /** Input that is another one in every step: address of [steps] blocks, the first of which is read. */
  readonly blocks: readonly { readonly address: number; readonly bytes: number }[];
}

/** Words of `stepWords`. */
export const stepWordCount = 3;
/** Which of them says how many steps have run. */
export const stepWordOfDone = 1;

/** What a program that takes so many steps begins with. */
export function stepWords(steps: number): readonly number[] {
  return [steps - 1, 0, 0];
}

/** Runs the program once more, for the tokens that it has chosen; to be its last command. */
export function repeat({ steps, n, tokens, ids, taken, ends, endCount, heads, blocks }: Repeat): Command {
  return command('repeat', [
    ...[steps, n, tokens, ids, taken, ends, endCount],
    ...[heads.length, ...heads.flatMap((one) => [one.heads, one.count])],
    ...[blocks.length, ...blocks.flatMap(({ address, bytes }) => [address, bytes])],
  ]);
}
