import { readFileSync } from 'node:fs';
import { splitsReference } from './reference.ts';
import { type Measure, type Rows, splits } from './refine.ts';

type Name = 'modularity' | 'conductance';

type OracleCase = {
  readonly T: number;
  readonly dim: number;
  readonly min: number;
  readonly block: number;
  readonly cuts: readonly number[];
} & { readonly [K in Name]: readonly number[] } & { readonly [K in `${Name}Cuts`]: readonly number[] };

/** How closed forms and definitions compare with the official code on random keys (bench/oracles/em-llm.py). */
export function compareWithOracle() {
  const golden: { readonly cases: readonly OracleCase[] } = JSON.parse(
    readFileSync(new URL('golden/refinement.json', import.meta.url), 'utf8'),
  );
  return golden.cases.flatMap((one, number) =>
    (['modularity', 'conductance'] as const).map((measure) => {
      const rows = keysOf(one, number);
      const [found, defined] = [splits(rows, measure), splitsReference(rows, measure)];
      const gap = (of: Float64Array) =>
        one[measure].reduce((most, x, i) => Math.max(most, Math.abs((of[i + 1] ?? Number.NaN) - x)), 0);
      return {
        measure,
        splits: one.T - 1,
        closedFormGap: gap(found),
        definitionGap: gap(defined),
        sameCuts: officialCuts(one, rows, measure).join() === one[`${measure}Cuts`].join(),
      };
    }),
  );
}

/** The official search over our closed forms: the cut itself is no candidate, and a window ends before its last token. */
function officialCuts({ cuts, min, T }: OracleCase, all: Rows, measure: Measure): number[] {
  const sign = measure === 'modularity' ? 1 : -1;
  const moved: number[] = [];
  for (const cut of cuts) {
    const last = moved.at(-1) ?? 0;
    if (cut - last <= min) {
      moved.push(cut);
      continue;
    }
    const half = Math.floor((cut - last) / 2);
    const [start, end] = [Math.max(0, last - half), Math.min(T, cut + half)];
    const found = splits(part(all, start, end), measure);
    let best = last + min;
    for (let at = best; at < cut; at++) {
      if (sign * (found[at - start] ?? 0) > sign * (found[best - start] ?? 0)) best = at;
    }
    moved.push(best);
  }
  return moved;
}

/** Rows [start, end) of them. */
export function part({ width, values }: Rows, start: number, end: number): Rows {
  const within = [start * width, end * width] as const;
  const cut = values instanceof Float64Array ? values.subarray(...within) : Array.from(values).slice(...within);
  return { count: end - start, width, values: cut };
}

/** Numbers by chance around means of blocks, as the script draws them. */
function keysOf({ T, dim, block }: OracleCase, number: number): Rows {
  const at = (seed: number, index: number) => Math.fround((hash(seed + index) / 2 ** 32) * 4 - 2);
  const values = Float64Array.from({ length: T * dim }, (_, i) => {
    const mean = at(100_000 * number + 50_000, Math.floor(Math.floor(i / dim) / block) * dim + (i % dim));
    return Math.fround(at(100_000 * number, i) + mean);
  });
  return { count: T, width: dim, values };
}

/** A mixture of the bits of 32-bit integers: Wellons 2018, "lowbias32". */
function hash(index: number): number {
  let x = index >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
