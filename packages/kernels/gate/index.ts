import { type Command, command, floatWord } from '../command.ts';

export interface Gate {
  /** Address of float32 [n, columns], changed in place; columns divide by 4. */
  readonly x: number;
  readonly n: number;
  readonly columns: number;
  /** Address of float32 [n, width], and of the weights [width]; width divides by 4. */
  readonly by: number;
  readonly width: number;
  readonly weights: number;
  /** Gates that are open by less are shut. */
  readonly least: number;
}

/** Rows of x times σ(w·y) of their rows y, or nothing of them where that is below `least`. */
export function gate({ x, n, columns, by, width, weights, least }: Gate): Command {
  return command('gate', [x, by, n, columns, width, weights, floatWord(least)]);
}
