import { dot, isSeen, type KeyValue } from '../attend/reference.ts';
import type { Representative, Stretches } from './index.ts';

/**
 * The search over single tokens, with the paper's bounds (Lee et al. 2024, HiP Attention, arXiv 2406.09827, algorithm 1: from
 * 1, both ends in it): k chunks; each is split at round((first + last) / 2), and of the branches the k stay whose centre has
 * the greatest score, of equals the first. Returns positions from 0, ascending.
 */
export function tokenSearch(scores: ArrayLike<number>, k: number): number[] {
  const n = scores.length;
  let chunks = Array.from({ length: k }, (_, j) => ({ first: round((j * n) / k) + 1, last: round(((j + 1) * n) / k) }));
  chunks = chunks.filter(({ first, last }) => first <= last);
  while (chunks.some(({ first, last }) => first < last)) {
    const branches = chunks.flatMap(({ first, last }) => {
      const middle = round((first + last) / 2);
      return [
        { first, last: middle - 1 },
        { first: middle, last },
      ].filter((half) => half.first <= half.last);
    });
    const score = ({ first, last }: { first: number; last: number }) =>
      scores[centre(first - 1, last) ?? 0] ?? Number.NaN;
    chunks = best(branches, k, score);
  }
  return chunks.map(({ first }) => first - 1);
}

/** The search over blocks [from, to) with `chunks` · `beam` stretches: the best `chunks` blocks that they end at, ascending. */
export function blockSearch(
  [from, to]: readonly [number, number],
  chunks: number,
  representative: Representative,
  score: (block: number) => number,
  beam = 1,
): number[] {
  const size = to - from;
  if (size <= chunks) return Array.from({ length: Math.max(0, size) }, (_, i) => from + i);
  const count = Math.min(chunks * beam, size);
  let stretches = Array.from({ length: count }, (_, j): Stretch => {
    return [from + round((j * size) / count), from + round(((j + 1) * size) / count)];
  });
  while (stretches.some(([first, end]) => end - first > 1)) {
    const halves = stretches.flatMap(([first, end]): Stretch[] => {
      const middle = (first + end) >> 1;
      return middle > first
        ? [
            [first, middle],
            [middle, end],
          ]
        : [[first, end]];
    });
    stretches = best(halves, count, (half) => score(standsFor(half, representative)));
  }
  return best(stretches, chunks, ([first]) => score(first)).map(([first]) => first);
}

type Stretch = readonly [first: number, end: number];

function standsFor([first, end]: Stretch, representative: Representative): number {
  if (representative === 'first') return first;
  return representative === 'last' ? end - 1 : centre(first, end);
}

function centre(first: number, end: number): number {
  return first + ((end - first) >> 1);
}

/** Halves upwards. */
function round(x: number): number {
  return Math.floor(x + 0.5);
}

/** The `count` of greatest score in the order they stand in; of equals the first, NaN last. */
function best<T>(all: readonly T[], count: number, score: (one: T) => number): T[] {
  const scored = all.map((one, i) => ({ one, i, score: sound(score(one)) }));
  const chosen = scored.toSorted((a, b) => (a.score === b.score ? a.i - b.i : b.score - a.score)).slice(0, count);
  return chosen.toSorted((a, b) => a.i - b.i).map(({ one }) => one);
}

function sound(score: number): number {
  return Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score;
}

/** Queries of one block that share a list: rows of all its heads, with the position of each, in order. */
export interface QueryBlock {
  readonly queries: readonly { readonly query: ArrayLike<number>; readonly position: number }[];
  /** Heads that share the list: so many queries have one position. */
  readonly group: number;
}

/**
 * Slots that a block of queries reads, ascending. `slots` are those that its last query sees, in the order of positions.
 */
export function descendReference(
  { queries, group }: QueryBlock,
  slots: readonly Pick<KeyValue, 'position' | 'key'>[],
  { chunks, beam, block, keyStride, queryStride, sinks, window, representative }: Stretches,
): number[] {
  const count = queries.length / group;
  const sampled = queries.filter((_, i) => (count - 1 - Math.floor(i / group)) % queryStride === 0);
  const from = Math.ceil(sinks / block);
  const windowStart = slots.length - count + 1 - window;
  const to = window > 0 ? Math.max(0, Math.floor(windowStart / block)) : Math.ceil(slots.length / block);
  const score = (index: number) => {
    let most = Number.NEGATIVE_INFINITY;
    for (let u = 0; u < block; u += keyStride) {
      const slot = slots[index * block + u];
      if (!slot) break;
      for (const { query, position } of sampled) {
        if (!isSeen(position, slot.position, { window: 0 })) continue;
        most = Math.max(most, sound(dot(query, slot.key)));
      }
    }
    return most;
  };
  const found = new Set(to - from <= chunks ? [] : blockSearch([from, to], chunks, representative, score, beam));
  const isRead = (slot: number) => {
    const index = Math.floor(slot / block);
    return to - from <= chunks || index < from || index >= to || found.has(index);
  };
  return [...slots.keys()].filter(isRead);
}
