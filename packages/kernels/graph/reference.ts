/**
 * The graph in lists and sorts: RoarGraph (Chen et al. 2024, arXiv 2408.08933, section 4) as RetrievalAttention (Liu et al.
 * 2024, arXiv 2409.10516, section 3.2) uses it, under the inner product. Vectors are whole numbers, so that every product
 * is exact; the higher product ranks first, then the lower number.
 */
export type Vectors = readonly (readonly number[])[];

/** Neighbours of every key. */
export type Links = number[][];

export interface Linked {
  readonly start: number;
  readonly links: Links;
}

export function product(a: readonly number[] = [], b: readonly number[] = []): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += (a[c] ?? 0) * (b[c] ?? 0);
  return sum;
}

/** Vectors as whole numbers; see `graphRows`. */
export function rowReference(x: ArrayLike<number>, norm: number, most: number): number[] {
  const own = Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));
  const length = Math.max(own, norm);
  const factor = length > 0 && length < Number.POSITIVE_INFINITY ? most / length : 0;
  return Array.from(x, (value) => (factor === 0 ? 0 : evenly(value * factor)));
}

/** To the nearest whole number, halves to the even one. */
function evenly(value: number): number {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

/** Numbers of some keys, the best for a query first. */
export function rankedFor(query: readonly number[] | undefined, keys: Vectors, among: Iterable<number>): number[] {
  const scored = Array.from(among, (key) => ({ key, score: product(query, keys[key]) }));
  return scored.sort((a, b) => b.score - a.score || a.key - b.key).map(({ key }) => key);
}

/** The best `count` of the first `limit` keys; none where there are fewer. */
export function nearestReference(query: readonly number[], keys: Vectors, limit: number, count: number): number[] {
  const all = Array.from({ length: Math.min(limit, keys.length) }, (_, key) => key);
  return all.length < count ? [] : rankedFor(query, keys, all).slice(0, count);
}

/** Keys nearer to x than to all that are kept before, and the best of the others where these are fewer than `degree`. */
export function pruneReference(x: number, candidates: Iterable<number>, keys: Vectors, degree: number): number[] {
  const kept: number[] = [];
  const rejected: number[] = [];
  for (const c of rankedFor(keys[x], keys, candidates)) {
    if (kept.length === degree) break;
    const isNear = kept.every((r) => product(keys[c], keys[r]) <= product(keys[x], keys[c]));
    (isNear ? kept : rejected).push(c);
  }
  return [...kept, ...rejected].slice(0, degree);
}

/** What a walk along the links finds for a query, the best first, holding the best `pool` keys; and how many it scored. */
export function walkReference(
  query: readonly number[] | undefined,
  keys: Vectors,
  { start, links }: Linked,
  pool: number,
) {
  const visited = new Set([start]);
  const expanded = new Set<number>();
  let found = [start];
  for (;;) {
    const next = found.find((key) => !expanded.has(key));
    if (next === undefined) return { found, scans: visited.size };
    expanded.add(next);
    const fresh = (links[next] ?? []).filter((key) => !visited.has(key));
    for (const key of fresh) visited.add(key);
    found = rankedFor(query, keys, [...found, ...fresh]).slice(0, pool);
  }
}

export interface LinkOptions {
  readonly degree: number;
  readonly capacity: number;
  readonly pool: number;
}

/** Builds a graph; `nearest` are the nearest keys of training queries, the best first. */
export function linkReference(keys: Vectors, nearest: readonly (readonly number[])[], options: LinkOptions): Linked {
  const { degree, capacity } = options;
  const links: Links = keys.map(() => []);
  const all = [...keys.keys()];
  const mean = (keys[0] ?? []).map((_, c) =>
    Math.trunc(keys.reduce((sum, key) => sum + (key[c] ?? 0), 0) / keys.length),
  );
  const linked = { start: rankedFor(mean, keys, all)[0] ?? 0, links };
  // Projection: a query's nearest key is linked to its others.
  for (const x of all) {
    const others = nearest.filter(([first]) => first === x).flatMap((list) => list.slice(1));
    links[x] = pruneReference(x, new Set(others), keys, degree);
  }
  // Links run both ways.
  for (const x of all) {
    for (const y of [...(links[x] ?? [])]) {
      const back = links[y] ?? [];
      if (back.includes(x)) continue;
      if (back.length < capacity) back.push(x);
      else links[y] = pruneReference(y, [...back, x], keys, degree);
    }
  }
  for (const x of all) {
    const own = links[x] ?? [];
    if (own.length > degree) links[x] = pruneReference(x, own, keys, degree);
  }
  connectReference(keys, linked, 0, options);
  return linked;
}

/** Searches for keys from `from` on, and links them with what is found. */
export function connectReference(keys: Vectors, linked: Linked, from: number, options: LinkOptions): void {
  const { degree, capacity, pool } = options;
  const { links } = linked;
  for (let x = from; x < keys.length; x++) {
    const own = links[x] ?? [];
    links[x] = own;
    const { found } = walkReference(keys[x], keys, linked, pool);
    const candidates = found.filter((key) => key !== x && !own.includes(key));
    for (const y of pruneReference(x, candidates, keys, degree)) {
      if (own.length === capacity) break;
      own.push(y);
      const back = links[y] ?? [];
      if (back.length < capacity && !back.includes(x)) back.push(x);
    }
  }
}
