import { Random } from '@loci/evaluate/random';
import { highest } from '../keeping/select.ts';
import type { HeadScores, HeadTable } from './scores.ts';

/** Which key/value heads, [layer][head]. */
export type HeadSet = readonly (readonly boolean[])[];

/** Scores of key/value heads: that of a group of query heads is its best. */
export function kvScores(rows: HeadTable, of: HeadScores['of'], kvHeads: number): HeadTable {
  if (of === 'kvHeads') return rows;
  return rows.map((scores) => {
    const group = scores.length / kvHeads;
    return Array.from({ length: kvHeads }, (_, head) => Math.max(...scores.slice(head * group, (head + 1) * group)));
  });
}

/** The share of a table's heads, over all layers, with the highest scores; of equal ones the first. */
export function topShare(rows: HeadTable, share: number): HeadSet {
  const all = Float32Array.from(rows.flat());
  const chosen = new Set(highest(all, Math.round(share * all.length)));
  return shaped(rows, (index) => chosen.has(index));
}

/** Key/value heads of which one query head or more is in the set. */
export function kvHeadsOf(set: HeadSet, kvHeads: number): HeadSet {
  return set.map((heads) => {
    const group = heads.length / kvHeads;
    return Array.from({ length: kvHeads }, (_, head) => heads.slice(head * group, (head + 1) * group).includes(true));
  });
}

export function union(a: HeadSet, b: HeadSet): HeadSet {
  return a.map((heads, layer) => heads.map((chosen, head) => chosen || b[layer]?.[head] === true));
}

export function sizeOf(set: HeadSet): number {
  return set.flat().filter(Boolean).length;
}

/** As many heads as a set has, by chance: what a plan is compared with. */
export function randomSet(like: HeadSet, seed: number): HeadSet {
  const all = like.flat().map((_, index) => index);
  const chosen = new Set(new Random(`heads ${seed}`).shuffled(all).slice(0, sizeOf(like)));
  return shaped(like, (index) => chosen.has(index));
}

/** Every head in the set, or none. */
export function uniformSet(like: HeadSet, chosen: boolean): HeadSet {
  return shaped(like, () => chosen);
}

function shaped(rows: readonly (readonly unknown[])[], isChosen: (index: number) => boolean): HeadSet {
  let index = 0;
  return rows.map((heads) => heads.map(() => isChosen(index++)));
}
