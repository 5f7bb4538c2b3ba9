import { highest } from './select.ts';

/** Scores of the slots of every [layer][head] that are up for choice. */
export type Scores = readonly (readonly Float32Array[])[];

/** Shares out slots: how many each head keeps, on average `budget`. */
export type Budgeter = (scores: Scores, budget: number) => readonly (readonly number[])[];

/** Every head the same. */
export const uniform: Budgeter = (scores, budget) => scores.map((heads) => heads.map(() => budget));

/**
 * Heads of a layer share its slots: those with the highest scores of all heads stay (Feng et al. 2024, "Ada-KV",
 * algorithm 1), and every head keeps at least the share `floor` of an even budget.
 */
export function adaptive(floor = 0.2): Budgeter {
  return (scores, budget) => scores.map((heads) => share(heads, budget * heads.length, Math.floor(budget * floor)));
}

/** The same over all heads of the model at once. */
export function adaptiveEverywhere(floor = 0.2): Budgeter {
  return (scores, budget) => {
    const all = scores.flat();
    const counts = share(all, budget * all.length, Math.floor(budget * floor));
    return scores.map((heads, layer) => {
      const before = scores.slice(0, layer).reduce((sum, { length }) => sum + length, 0);
      return counts.slice(before, before + heads.length);
    });
  };
}

/**
 * Lower layers keep more: budgets fall in a straight line from layer to layer (Cai et al. 2024, "PyramidKV", equations 5
 * and 6 with β), with the mean that was asked for.
 */
export function pyramid(beta = 20): Budgeter {
  return (scores, budget) => {
    const last = scores.length - 1;
    const least = budget / beta;
    const step = last > 0 ? (2 * (budget - least)) / last : 0;
    return scores.map((heads, layer) => {
      const length = heads[0]?.length ?? 0;
      const wanted = last > 0 ? 2 * budget - least - step * layer : budget;
      return heads.map(() => Math.min(length, Math.max(1, Math.round(wanted))));
    });
  };
}

/** Slots for each of the heads, of `total` in all. */
function share(heads: readonly Float32Array[], total: number, floor: number): number[] {
  const counts = heads.map(({ length }) => Math.min(length, floor));
  const left = Math.max(0, Math.floor(total) - counts.reduce((sum, count) => sum + count, 0));
  // What a head is sure of does not compete.
  const open = heads.map((scores, head) => {
    const sure = new Set(highest(scores, counts[head] ?? 0));
    return scores.map((score, i) => (sure.has(i) ? Number.NEGATIVE_INFINITY : score));
  });
  const joined = new Float32Array(open.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  const starts = open.map((scores) => {
    joined.set(scores, at);
    at += scores.length;
    return at - scores.length;
  });
  const room = joined.length - counts.reduce((sum, count) => sum + count, 0);
  for (const slot of highest(joined, Math.min(left, room))) {
    const head = starts.findLastIndex((start) => start <= slot);
    counts[head] = (counts[head] ?? 0) + 1;
  }
  return counts;
}

/** The ways of sharing out that options name. */
export const budgeters = {
  even: uniform,
  ada: adaptive(),
  'ada-model': adaptiveEverywhere(),
  pyramid: pyramid(),
} as const satisfies Readonly<Record<string, Budgeter>>;

export const budgeterNames = [
  'even',
  'ada',
  'ada-model',
  'pyramid',
] as const satisfies readonly (keyof typeof budgeters)[];
