import { type Command, command } from '../command.ts';

export interface Scale {
  /** Address of float32 [n, groups, columns], changed in place; columns divide by 4. */
  readonly x: number;
  readonly n: number;
  readonly groups: number;
  readonly columns: number;
  /** Address of float32 [groups]. */
  readonly factors: number;
  /** Address of float32 [groups, columns] to add; none by default. */
  readonly shifts?: number;
}

/** x = x · factor + shift per group of columns, such as the outputs of heads; a factor of 0 removes even NaN. */
export function scale({ x, n, groups, columns, factors, shifts = 0 }: Scale): Command {
  return command('scale', [x, n, groups, columns, factors, shifts]);
}
