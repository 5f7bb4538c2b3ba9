import { readFileSync } from 'node:fs';
import { snapkvReference, snapkvScores } from './reference.ts';

interface Chosen {
  readonly kept: readonly (readonly number[])[];
  /** Of all numbers of the gathered rows of a head. */
  readonly keys: readonly number[];
  readonly values: readonly number[];
}

interface OracleCase {
  readonly shape: readonly [h: number, g: number, n: number, d: number, window: number, budget: number, kernel: number];
  readonly none: { readonly avg: Chosen; readonly max: Chosen };
  readonly mean: readonly (readonly number[])[];
}

/** How the definition compares with the official class and with kvpress on random numbers. */
export function compareWithOracle() {
  const golden: { readonly cases: readonly OracleCase[] } = JSON.parse(
    readFileSync(new URL('golden/snapkv.json', import.meta.url), 'utf8'),
  );
  return golden.cases.map(({ shape, none, mean }, number) => {
    const [h, g, n, d, window, budget, kernel] = shape;
    const seed = (part: number) => 1_000_000 * (3 * number + part);
    const [queries, keys, values] = [rows(seed(0), h, n, d), rows(seed(1), g, n, d), rows(seed(2), g, n, d)];
    const sums = (of: typeof keys, kept: readonly (readonly number[])[]) =>
      kept.map((slots, head) =>
        slots.reduce((sum, slot) => sum + total(of[Math.floor((head * g) / h)]?.[slot] ?? new Float32Array()), 0),
      );
    const compare = (pooling: 'avg' | 'max', groupReduce: 'mean' | 'none', theirs: readonly (readonly number[])[]) => {
      const options = { window, budget, kernel, pooling, groupReduce };
      const scores = snapkvScores({ queries, keys }, options);
      const kept = snapkvReference({ queries, keys }, options);
      return kept.map((ours, head) => differenceOf(ours, theirs[head] ?? [], scores[head] ?? []));
    };
    const official = (['avg', 'max'] as const).map((pooling) => {
      const { kept, ...gathered } = none[pooling];
      const gaps = [furthest(sums(keys, kept), gathered.keys), furthest(sums(values, kept), gathered.values)];
      return { pooling, ...joined(compare(pooling, 'none', kept)), gatheredGap: Math.max(...gaps) };
    });
    return { shape: [...shape], official, kvpress: { pooling: 'avg', ...joined(compare('avg', 'mean', mean)) } };
  });
}

/**
 * Positions that only one of the two kept: with the lowest score that was chosen, which others have as well (a maximum is
 * shared by neighbours, and torch's topk does not say which of equals it takes), or with another one.
 */
function differenceOf(ours: readonly number[], theirs: readonly number[], scores: readonly number[]) {
  const either = [...ours.filter((j) => !theirs.includes(j)), ...theirs.filter((j) => !ours.includes(j))];
  const lowest = Math.min(...ours.filter((j) => j < scores.length).map((j) => scores[j] ?? 0));
  const ties = either.filter((j) => scores[j] === lowest).length;
  return { ties, wrong: either.length - ties + Math.abs(ours.length - theirs.length) };
}

function joined(differences: readonly ReturnType<typeof differenceOf>[]) {
  return {
    ties: differences.reduce((sum, { ties }) => sum + ties, 0),
    wrong: differences.reduce((sum, { wrong }) => sum + wrong, 0),
  };
}

/** Uniform from -2 to 2 by a hash of the index, as bench/oracles/snapkv.py does it. */
function rows(seed: number, heads: number, n: number, d: number): Float32Array[][] {
  let index = seed;
  return Array.from({ length: heads }, () =>
    Array.from({ length: n }, () => Float32Array.from({ length: d }, () => (hash(index++) / 2 ** 32) * 4 - 2)),
  );
}

/** A mixture of the bits of 32-bit integers: Wellons 2018, "lowbias32". */
function hash(index: number): number {
  let x = index >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

function total(row: Float32Array): number {
  return row.reduce((sum, x) => sum + x, 0);
}

function furthest(a: readonly number[], b: readonly number[]): number {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}
