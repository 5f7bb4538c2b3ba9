import { dot } from '../keeping/dot.ts';
/** Queries [h][n][d], keys and values [g][n][d] of one layer, rotated. */
export interface Layer {
  readonly queries: readonly (readonly ArrayLike<number>[])[];
  readonly keys: readonly (readonly ArrayLike<number>[])[];
}

export interface Window {
  readonly window: number;
  readonly budget: number;
  readonly kernel: number;
  readonly pooling: 'avg' | 'max';
  /** How query heads that share a key/value head come to one choice; `none`: each chooses for itself. */
  readonly groupReduce: 'mean' | 'none';
}

/** Steps 2 to 5, in float64: the score of every position before the window. */
export function snapkvScores({ queries, keys }: Layer, options: Window): readonly (readonly number[])[] {
  const group = queries.length / keys.length;
  const pooled = queries.map((rows, head) =>
    pool(votes(rows, keys[Math.floor(head / group)] ?? [], options.window), options),
  );
  if (options.groupReduce === 'none') return pooled;
  return keys.map((_, head) => {
    const own = pooled.slice(head * group, (head + 1) * group);
    return (own[0] ?? []).map((_, j) => own.reduce((sum, score) => sum + (score[j] ?? 0), 0) / group);
  });
}

/** Steps 1 to 6: kept positions of every key/value head (`none`: of every query head). */
export function snapkvReference(layer: Layer, options: Window): readonly (readonly number[])[] {
  const { window, budget, groupReduce } = options;
  const { queries, keys } = layer;
  const n = keys[0]?.length ?? 0;
  if (n < budget) return (groupReduce === 'none' ? queries : keys).map(() => [...Array(n).keys()]);
  return snapkvScores(layer, options).map((score) => {
    const best = score.map((value, j) => ({ value, j })).sort((a, b) => b.value - a.value || a.j - b.j);
    const chosen = best.slice(0, budget - window).map(({ j }) => j);
    return [...chosen.sort((a, b) => a - b), ...Array.from({ length: window }, (_, i) => n - window + i)];
  });
}

/** Steps 2 and 3: attention of the window's queries to what is before it, added up. */
function votes(queries: Layer['queries'][number], keys: Layer['keys'][number], window: number): number[] {
  const n = keys.length;
  const sum = Array.from({ length: n - window }, () => 0);
  for (let row = n - window; row < n; row++) {
    const query = queries[row] ?? [];
    const seen = keys.slice(0, row + 1).map((key) => dot(query, key) / Math.sqrt(key.length));
    const top = Math.max(...seen);
    const weights = seen.map((score) => Math.exp(score - top));
    const total = weights.reduce((all, weight) => all + weight, 0);
    for (const j of sum.keys()) sum[j] = (sum[j] ?? 0) + (weights[j] ?? 0) / total;
  }
  return sum;
}

/** Step 4. */
function pool(scores: readonly number[], { kernel, pooling }: Window): number[] {
  const reach = (kernel - 1) / 2;
  return scores.map((_, j) => {
    const near = scores.slice(Math.max(0, j - reach), j + reach + 1);
    return pooling === 'max' ? Math.max(...near) : near.reduce((sum, score) => sum + score, 0) / kernel;
  });
}
