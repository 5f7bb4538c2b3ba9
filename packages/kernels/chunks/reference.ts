/** A slot of a key/value head. */
export interface HeldKey {
  readonly position: number;
  readonly key: ArrayLike<number>;
}

export interface Choice {
  /** Positions read at most, of which so many are the nearest, and so many the first. */
  readonly budget: number;
  readonly local: number;
  readonly global: number;
  readonly window: number;
  readonly length: 'root' | 'none';
}

/** A block of query rows, [rows][h][d], and where they stand. */
export interface QueryBlock {
  readonly queries: readonly (readonly ArrayLike<number>[])[];
  readonly positions: readonly number[];
}

/** Mean of a chunk's keys over slots and heads, times the root of how many there are for a head; undefined: it has none. */
export function chunkKey(
  heads: readonly (readonly HeldKey[])[],
  from: number,
  to: number,
  length: Choice['length'],
): Float64Array | undefined {
  const keys = heads.flatMap((slots) => slots.filter(({ position }) => position >= from && position < to));
  if (keys.length === 0) return undefined;
  const sum = sumOf(keys.map(({ key }) => key));
  return sum.map((x) => (x / keys.length) * (length === 'root' ? Math.sqrt(keys.length / heads.length) : 1));
}

/** Mean of a block's queries over rows and heads, times the root of the number of rows. */
export function blockQuery({ queries }: QueryBlock): Float64Array {
  const all = queries.flat();
  return sumOf(all).map((x) => (x / all.length) * Math.sqrt(queries.length));
}

/** How much every chunk that a block may read is like it: q_b · k_c. */
export function chunkScores(
  block: QueryBlock,
  heads: readonly (readonly HeldKey[])[],
  ends: readonly number[],
  { window, length }: Choice,
): { readonly chunk: number; readonly from: number; readonly to: number; readonly score: number }[] {
  const { low, end } = reach(block, window);
  const query = blockQuery(block);
  return ends.flatMap((to, chunk) => {
    const from = chunk > 0 ? (ends[chunk - 1] ?? 0) : 0;
    const key = from < end && to > low ? chunkKey(heads, from, to, length) : undefined;
    return key ? [{ chunk, from, to, score: key.reduce((sum, x, c) => sum + x * (query[c] ?? 0), 0) }] : [];
  });
}

/** Positions that a block reads, ascending. */
export function chunkChoice(
  block: QueryBlock,
  heads: readonly (readonly HeldKey[])[],
  ends: readonly number[],
  choice: Choice,
): readonly number[] {
  const { low, end } = reach(block, choice.window);
  const held = [...new Set(heads.flat().map(({ position }) => position))]
    .filter((position) => position >= low && position < end)
    .sort((a, b) => a - b);
  if (held.length <= choice.budget) return held;
  const chosen = new Set(held.slice(-Math.min(choice.local, choice.budget)));
  if (choice.local === 0) chosen.clear();
  const take = (some: readonly number[], most: number) => {
    const others = some.filter((position) => !chosen.has(position));
    for (const position of others.slice(0, Math.min(most, choice.budget - chosen.size))) chosen.add(position);
  };
  take(held, choice.global);
  const ranked = chunkScores(block, heads, ends, choice).sort((a, b) => b.score - a.score || a.chunk - b.chunk);
  for (const { from, to } of ranked) {
    take(
      held.filter((position) => position >= from && position < to),
      Number.POSITIVE_INFINITY,
    );
  }
  return [...chosen].sort((a, b) => a - b);
}

/** Positions from `low` up to `end`: the first row of a block sees furthest back, the last one furthest. */
function reach({ positions }: QueryBlock, window: number): { readonly low: number; readonly end: number } {
  const low = window > 0 ? Math.max(0, (positions[0] ?? 0) - window + 1) : 0;
  return { low, end: (positions.at(-1) ?? 0) + 1 };
}

function sumOf(rows: readonly ArrayLike<number>[]): Float64Array {
  const sum = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) for (const c of sum.keys()) sum[c] = (sum[c] ?? 0) + (row[c] ?? 0);
  return sum;
}
