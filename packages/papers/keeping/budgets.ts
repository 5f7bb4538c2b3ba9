import { pageSlots } from '@loci/kernels';
import { highest } from './select.ts';

/** Scores of the slots of every [layer][head] that are up for choice. */
export type Scores = readonly (readonly Float32Array[])[];

/** Shares out slots: how many each head keeps, on average `budget`, beside the `fixed` ones that it keeps in any case. */
export type Budgeter = (scores: Scores, budget: number, fixed: number) => readonly (readonly number[])[];

/** Every head the same. */
export const uniform: Budgeter = (scores, budget) => scores.map((heads) => heads.map(() => budget));

/** Heads of a layer share its slots by a rule. */
const withinLayers =
  (rule: Sharing): Budgeter =>
  (scores, budget, fixed) =>
    scores.map((heads) => rule(heads, budget, fixed));

/** All heads of the model share its slots by a rule. */
const everywhere =
  (rule: Sharing): Budgeter =>
  (scores, budget, fixed) => {
    const counts = rule(scores.flat(), budget, fixed);
    let at = 0;
    return scores.map(({ length }) => {
      at += length;
      return counts.slice(at - length, at);
    });
  };

/** Slots for each of some heads, on average `budget`. */
type Sharing = (heads: readonly Float32Array[], budget: number, fixed: number) => readonly number[];

/**
 * Lower layers keep more: budgets fall in a straight line from layer to layer (Cai et al. 2024, "PyramidKV", equations 5
 * and 6 with β), with the mean that was asked for.
 */
export function pyramid(beta = 20): Budgeter {
  return (scores, budget) => {
    const last = scores.length - 1;
    const length = scores[0]?.[0]?.length ?? 0;
    // A layer cannot keep more than there is: then the line is flatter, about the same mean.
    const most = Math.min(length, 2 * budget - budget / beta);
    const step = last > 0 ? (2 * (most - budget)) / last : 0;
    return scores.map((heads, layer) => {
      const wanted = last > 0 ? most - step * layer : budget;
      return heads.map(() => Math.min(length, Math.max(1, Math.round(wanted))));
    });
  };
}

/**
 * Those slots stay that score highest among all heads (Feng et al. 2024, "Ada-KV", algorithm 1), and every head keeps at
 * least the share `floor` of an even budget. As in the paper's code the floor counts what is up for choice; kvpress counts
 * the window into it, so that with 25 % of 650 tokens and a window of 32 its floor is the window alone.
 */
function highestScores(floor: number): Sharing {
  return (heads, budget) => {
    const counts = heads.map(({ length }) => Math.min(length, Math.floor(budget * floor)));
    const room = heads.reduce((sum, { length }) => sum + length, 0);
    const held = counts.reduce((sum, count) => sum + count, 0);
    // What a head is sure of does not compete.
    const open = heads.map((scores, head) => {
      const rest = Float32Array.from(scores);
      for (const slot of highest(scores, counts[head] ?? 0)) rest[slot] = Number.NEGATIVE_INFINITY;
      return rest;
    });
    const left = Math.min(Math.max(0, Math.floor(budget * heads.length) - held), room - held);
    const won = winners(open, left);
    return counts.map((count, head) => count + (won[head] ?? 0));
  };
}

/**
 * The same in pages, which is what memory is given out in: a head's next page is worth the scores of the slots that would
 * fill it. No page is left half empty but a head's last, when there is nothing more to keep.
 */
function fullestPages(floor: number): Sharing {
  return (heads, budget, fixed) => {
    const total = Math.floor(((budget + fixed) * heads.length) / pageSlots);
    const fixedPages = Math.ceil(fixed / pageSlots);
    // Slots up for choice that the first so many pages beyond the fixed slots' own have room for.
    const slotsIn = (pages: number) => (fixedPages + pages) * pageSlots - fixed;
    const sure = Math.floor((floor * (budget + fixed)) / pageSlots) - fixedPages;
    const worth = heads.map((scores) => {
      const ranked = Float32Array.from(scores).sort().reverse();
      const pages = Math.max(0, Math.ceil((scores.length - slotsIn(0)) / pageSlots));
      return Float32Array.from({ length: pages }, (_, page) => {
        if (page < sure) return Number.POSITIVE_INFINITY;
        return ranked.subarray(slotsIn(page), slotsIn(page + 1)).reduce((sum, score) => sum + score, 0);
      });
    });
    const won = winners(worth, Math.max(0, total - fixedPages * heads.length));
    return heads.map(({ length }, head) => Math.min(length, slotsIn(won[head] ?? 0)));
  };
}

/** How many of the `count` highest of all scores each head has. */
function winners(heads: readonly Float32Array[], count: number): readonly number[] {
  const joined = new Float32Array(heads.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  const ends = heads.map((scores) => {
    joined.set(scores, at);
    at += scores.length;
    return at;
  });
  const won = heads.map(() => 0);
  let head = 0;
  for (const slot of highest(joined, count)) {
    while (slot >= (ends[head] ?? joined.length)) head++;
    won[head] = (won[head] ?? 0) + 1;
  }
  return won;
}

/** The ways of sharing out that options name, each with the share of an even budget that every head is sure of. */
export const budgeters = {
  even: () => uniform,
  ada: (floor) => withinLayers(highestScores(floor)),
  'ada-model': (floor) => everywhere(highestScores(floor)),
  pages: (floor) => withinLayers(fullestPages(floor)),
  'pages-model': (floor) => everywhere(fullestPages(floor)),
  pyramid: () => pyramid(),
} as const satisfies Readonly<Record<string, (floor: number) => Budgeter>>;

export const budgeterNames = [
  'even',
  'ada',
  'ada-model',
  'pages',
  'pages-model',
  'pyramid',
] as const satisfies readonly (keyof typeof budgeters)[];
