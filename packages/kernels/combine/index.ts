import { type Command, command, type StridedRows } from '../command.ts';

export interface Combine {
  /** [n, columns]; columns divide by 4. */
  readonly a: StridedRows;
  readonly b: StridedRows;
  /** May be a or b. */
  readonly out: StridedRows;
  readonly n: number;
  readonly columns: number;
  readonly join?: boolean;
}

function combine({ a, b, out, n, columns, join }: Combine, operation: number): Command {
  const rows = [a, b, out].flatMap(({ address, stride }) => [address, stride]);
  return command('combine', [...rows, n, columns, operation], join);
}

/** a + b, number by number. */
export function add(call: Combine): Command {
  return combine(call, 0);
}

/** a · b, number by number. */
export function multiply(call: Combine): Command {
  return combine(call, 1);
}
