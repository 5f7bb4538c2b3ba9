import { type LayerMaps, type MapRows, rowsAtOnce } from './dense-maps.ts';

/** How chunks of keys are chosen for a block of queries. */
export interface MassOptions {
  readonly block: number;
  readonly budget: number;
  readonly local: number;
  readonly global: number;
}

export interface Shape {
  readonly n: number;
  readonly h: number;
  readonly g: number;
  readonly d: number;
}

/**
 * Softmax mass of a dense layer that blocks' choices hold, averaged over heads and over the rows of some blocks, for several
 * ways to cut the text (ends of chunks). Chunks are as `chunkChoice` defines them, with means times the root of the length,
 * or plain ones.
 */
export async function capturedMass(
  maps: LayerMaps,
  { n, h, g, d }: Shape,
  ways: readonly { readonly ends: readonly number[]; readonly length: 'root' | 'none' }[],
  blocks: readonly number[],
  options: MassOptions,
): Promise<number[]> {
  const tables = ways.map(({ ends, length }) => ({ ends, keys: chunkKeys(maps.keys, ends, length, g, d) }));
  const held = ways.map(() => 0);
  let rows = 0;
  for (const block of blocks) {
    const first = block * options.block;
    const end = Math.min(n, first + options.block);
    const query = meanQuery(maps.queries, first, end, h, d);
    const chosen = tables.map(({ ends, keys }) => choose(query, keys, ends, end, options, d));
    for (let from = first; from < end; from += rowsAtOnce) {
      const piece = await maps.weights(from, Math.min(rowsAtOnce, end - from));
      for (const [i, set] of chosen.entries()) held[i]! += massOf(piece, set, h);
      rows += piece.n;
    }
  }
  return held.map((sum) => sum / (rows * h));
}

function chunkKeys(keys: Float32Array, ends: readonly number[], length: 'root' | 'none', g: number, d: number) {
  let from = 0;
  return ends.map((end) => {
    const mean = new Float64Array(d);
    const count = g * (end - from);
    for (let i = from * g; i < end * g; i++) for (let c = 0; c < d; c++) mean[c]! += keys[i * d + c]! / count;
    const factor = length === 'root' ? Math.sqrt(end - from) : 1;
    from = end;
    return mean.map((x) => x * factor);
  });
}

function meanQuery(queries: Float32Array, from: number, end: number, h: number, d: number): Float64Array {
  const mean = new Float64Array(d);
  for (let i = from * h; i < end * h; i++) for (let c = 0; c < d; c++) mean[c]! += queries[i * d + c]!;
  return mean;
}

/** 1 for every position that a block reads. */
function choose(
  query: Float64Array,
  keys: readonly Float64Array[],
  ends: readonly number[],
  end: number,
  { budget, local, global }: MassOptions,
  d: number,
): Uint8Array {
  const set = new Uint8Array(end);
  if (end <= budget) return set.fill(1);
  set.fill(1, 0, global).fill(1, end - local);
  let left = budget - set.reduce((sum, one) => sum + one, 0);
  const ranked = keys.flatMap((key, chunk) => {
    const from = chunk > 0 ? ends[chunk - 1]! : 0;
    let score = 0;
    for (let c = 0; c < d; c++) score += key[c]! * query[c]!;
    return from < end ? [{ from, to: Math.min(end, ends[chunk]!), score }] : [];
  });
  for (const { from, to } of ranked.sort((a, b) => b.score - a.score || a.from - b.from)) {
    for (let position = from; position < to && left > 0; position++) {
      if (set[position]) continue;
      set[position] = 1;
      left--;
    }
  }
  return set;
}

function massOf({ n, stride, weights }: MapRows, set: Uint8Array, h: number): number {
  let sum = 0;
  for (let row = 0; row < n * h; row++) {
    const at = row * stride;
    for (let c = 0; c < set.length; c++) if (set[c]) sum += weights[at + c]!;
  }
  return sum;
}
