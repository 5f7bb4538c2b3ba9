import { type Command, command } from '../command.ts';

interface Copy {
  /** Address of float32 rows, `stride` floats apart. */
  readonly from: number;
  readonly stride: number;
  /** Address of int32 [n]: which rows. */
  readonly rows: number;
  readonly n: number;
  readonly columns: number;
  /** Address of float32 [n, columns]. */
  readonly out: number;
}

/** Gathers rows. */
export function copy({ from, stride, rows, n, columns, out }: Copy): Command {
  return command('copy', [from, stride, rows, n, columns, out]);
}
