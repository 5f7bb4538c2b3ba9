import { type Command, command, type StridedRows } from '../command.ts';
import type { DeltaShape } from './reference.ts';

export type { DeltaShape } from './reference.ts';

export interface Delta extends DeltaShape {
  /** [n, heads · width], before SiLU. */
  readonly q: StridedRows;
  readonly k: StridedRows;
  /** [n, heads · columns] */
  readonly v: StridedRows;
  /** [n, heads], β before its sigmoid. */
  readonly beta: StridedRows;
  /** [n, heads · columns] */
  readonly out: StridedRows;
  readonly n: number;
  /** Addresses of the state before the rows and of the state behind them; they do not overlap. */
  readonly from: number;
  readonly to: number;
}

/** Bytes of the state of one sequence: zero at its start. */
export function deltaBytes({ heads, width, columns }: DeltaShape): number {
  return 4 * heads * width * columns;
}

/** Bytes of scratch a thread needs. */
export function deltaScratch({ width }: Pick<DeltaShape, 'width'>): number {
  return 8 * width;
}

/**
 * The delta rule (Yang et al. 2024, arXiv 2406.06484, section 3) for n further tokens: with keys and queries that are SiLU made as
 * long as 1, and β behind a sigmoid, S ← S + β k (v − Sᵀ k)ᵀ, o = Sᵀ q. Rows of any program, and one by one, give the same bits.
 */
export function delta({ q, k, v, beta, out, n, heads, width, columns, from, to }: Delta): Command {
  const rows = [q, k, v, beta, out].flatMap(({ address, stride }) => [address, stride]);
  return command('delta', [...rows, n, heads, width, columns, from, to]);
}
