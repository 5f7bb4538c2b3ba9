import { type Command, command, type StridedRows } from '../command.ts';
import { featureCount, featureMaps, type RecurShape } from './reference.ts';

export { type FeatureMap, featureCount, type RecurShape } from './reference.ts';

export interface Recur extends RecurShape {
  /** [n, heads · width] */
  readonly q: StridedRows;
  readonly k: StridedRows;
  /** [n, heads · columns] */
  readonly v: StridedRows;
  readonly out: StridedRows;
  readonly n: number;
  /** Address of float32 [heads], what a head's state is multiplied by at every token; none does not decay. */
  readonly decays?: number;
  /** Addresses of the state before the rows and of the state behind them; they do not overlap. */
  readonly from: number;
  readonly to: number;
  readonly join?: boolean;
}

/** Bytes of the state of one sequence: zero at its start. */
export function recurBytes({ heads, width, columns, map, divides }: RecurShape): number {
  return 4 * heads * featureCount(map, width) * (columns + (divides ? 1 : 0));
}

/** Bytes of scratch a thread needs. */
export function recurScratch({ width, map }: Pick<RecurShape, 'width' | 'map'>): number {
  return 36 * featureCount(map, width) + 16;
}

/**
 * Linear attention (Katharopoulos et al. 2020) of n further tokens: S ← λ S + φ(k) vᵀ, o = φ(q)ᵀ S, over φ(q)·Σ λ… φ(k) where
 * weights are divided by their sum. Sums are float32: a sum of ones is exact up to 2²⁴ tokens. Rows of any program, and one
 * by one, give the same bits.
 */
export function recur(call: Recur): Command {
  const { q, k, v, out, n, heads, width, columns, map, decays = 0, divides, from, to, join } = call;
  const rows = [q, k, v, out].flatMap(({ address, stride }) => [address, stride]);
  return command(
    'recur',
    [...rows, n, heads, width, columns, featureMaps.indexOf(map), decays, divides ? 1 : 0, from, to],
    join,
  );
}
