import { copiesOf } from './probe.ts';

/**
 * Induction scores of a hand-built model of two layers with two heads each, over a text that repeats every k tokens. Layer
 * 0: a head on the token before, a head on itself. Layer 1: a head whose query is its token and whose keys are what the
 * first head fetched, the token before each, which makes it an induction head (Elhage et al. 2021), and an even one.
 */
export function handBuiltScores(ids: readonly number[], k: number): number[][] {
  const sharp = 20;
  const heads: ((m: number, n: number) => number)[][] = [
    [(m, n) => (n === m - 1 ? sharp : 0), (m, n) => (n === m ? sharp : 0)],
    [(m, n) => (n > 0 && ids[n - 1] === ids[m] ? sharp : 0), () => 0],
  ];
  return heads.map((layer) =>
    layer.map((score) => {
      let total = 0;
      let rows = 0;
      for (const m of ids.keys()) {
        const copies = copiesOf(m, k, 0);
        if (copies.length === 0) continue;
        const weights = Float64Array.from({ length: m + 1 }, (_, n) => Math.exp(score(m, n) - sharp));
        const sum = weights.reduce((all, weight) => all + weight, 0);
        for (const n of copies) total += (weights[n + 1] ?? 0) / sum;
        rows++;
      }
      return total / rows;
    }),
  );
}
