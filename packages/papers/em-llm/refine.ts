import { dot } from '../keeping/dot.ts';

/** Rows of numbers: the keys of some tokens, side by side for all layers and heads that count. */
export interface Rows {
  readonly count: number;
  readonly width: number;
  /** [count, width] */
  readonly values: ArrayLike<number>;
}

export type Measure = 'modularity' | 'conductance';

/**
 * How good every split of a window of tokens into two communities is, tokens being as near as the product of their keys:
 * modularity (Newman and Girvan 2004), which is to be large, or conductance, which is to be small. Element t is the split before
 * row t, for 0 < t < count; the others are those of no split.
 *
 * The adjacency is a Gram matrix, so that with the sum p of the rows before t and the sum S of all, modularity is
 * |p − (p·S / |S|²) S|² / |S|² and the cut is p·(S − p): no pair of tokens is ever multiplied. Where |S| = 0 both are 0.
 */
export function splits(rows: Rows, measure: Measure): Float64Array {
  const { count, width, values } = rows;
  const sum = new Float64Array(width);
  for (let i = 0; i < count; i++) for (let c = 0; c < width; c++) sum[c] = (sum[c] ?? 0) + (values[i * width + c] ?? 0);
  const whole = dot(sum, sum);
  const p = new Float64Array(width);
  const found = new Float64Array(count);
  for (let t = 0; t < count; t++) {
    const pp = dot(p, p);
    const ps = dot(p, sum);
    found[t] = whole === 0 ? 0 : measure === 'modularity' ? (pp - ps ** 2 / whole) / whole : conductance(pp, ps, whole);
    for (let c = 0; c < width; c++) p[c] = (p[c] ?? 0) + (values[t * width + c] ?? 0);
  }
  return found;
}

/** Stands for a side with nothing in it, as in the official code. */
export const least = 1e-15;

/** The smaller conductance of the two sides, from p·p, p·S and S·S. */
function conductance(pp: number, ps: number, ss: number): number {
  const cut = ps - pp;
  const other = ss - 2 * ps + pp;
  const of = (inside: number) => cut / (Math.min(inside, ss - inside) || least);
  return Math.min(of(pp), of(other));
}

export interface Refining {
  readonly measure: Measure;
  /** An event has so many tokens at least. */
  readonly min: number;
  /** Tokens that there are, and before which nothing is known any more. */
  readonly first: number;
  readonly end: number;
  /** Keys of the tokens [start, end). */
  rows(start: number, end: number): Rows;
}

/**
 * Moves a cut to where the window around it falls best into two: between its predecessor and itself, itself included
 * (which the official code leaves out), at least `min` behind the predecessor. The window reaches half of their distance
 * beyond either. Section 3.2.
 */
export function refined(cut: number, predecessor: number, { measure, min, first, end, rows }: Refining): number {
  const half = Math.floor((cut - predecessor) / 2);
  const start = Math.max(first, predecessor - half);
  const from = Math.max(predecessor + min, start + 1);
  if (from >= cut) return cut;
  const window = rows(start, Math.min(end, Math.max(cut + half, cut + 1)));
  const found = splits(window, measure);
  const sign = measure === 'modularity' ? 1 : -1;
  let best = cut;
  // The latest of equals: a cut moves for a reason only.
  for (let at = cut; at >= from; at--) {
    if (at - start >= window.count) continue;
    if (sign * (found[at - start] ?? 0) > sign * (found[best - start] ?? sign * Number.NEGATIVE_INFINITY)) best = at;
  }
  return best;
}
