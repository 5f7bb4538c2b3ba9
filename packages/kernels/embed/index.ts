import { type Command, command, floatWord } from '../command.ts';
import { layouts, type Matrix } from '../matmul/layout.ts';

interface Embed {
  readonly table: Matrix;
  /** Address of int32 [n]. */
  readonly ids: number;
  readonly n: number;
  /** Address of float32 [n, columns]. */
  readonly out: number;
  readonly factor: number;
}

/** Rows of the embedding table as float32, times a factor; the first where an id is below 0, as that of no token is. */
export function embed({ table, ids, n, out, factor }: Embed): Command {
  const layout = layouts.indexOf(table.layout);
  return command('embed', [table.address, layout, table.columns, ids, n, out, floatWord(factor)]);
}
