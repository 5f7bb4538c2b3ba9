import { type Command, command } from '../command.ts';

export interface Argmax {
  /** Address of float32 [n, stride]. */
  readonly x: number;
  readonly stride: number;
  readonly n: number;
  readonly columns: number;
  /** Address of int32 [n]. */
  readonly out: number;
}

/** The column of every row's largest number, the first of equal ones; −1 where a row holds a NaN or nothing above −∞. */
export function argmax({ x, stride, n, columns, out }: Argmax): Command {
  return command('argmax', [x, stride, n, columns, out]);
}
