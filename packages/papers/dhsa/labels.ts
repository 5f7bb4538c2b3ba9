/** Added to both masses before they are compared. */
const epsilon = 1e-6;

/**
 * How differently later tokens attend to what is before a gap and to what is behind it: max(past, future) /
 * min(past, future), where past is the attention that rows from i + w on pay to the w tokens up to i, and future that to the
 * w tokens behind it (section 3.2, label maker; the official code, which counts rows from 1, has i + w + 1). Rows of the map are given from the last to the first, so that sums
 * over the rows below are at hand and nothing is taken away from them.
 */
export class GapRatios {
  /** [n]; NaN where a gap is left out: the first 2 w − 1 and the last 2 w. */
  readonly ratios: Float64Array;
  readonly #w: number;
  readonly #sums: Float64Array;
  #row: number;

  constructor(n: number, w: number) {
    this.#w = w;
    this.#row = n;
    this.#sums = new Float64Array(n);
    this.ratios = new Float64Array(n).fill(Number.NaN);
  }

  /** The row before the one that was given last: attention weights of a token, averaged over heads. */
  add(row: ArrayLike<number>): void {
    const r = --this.#row;
    for (let c = 0; c <= r; c++) this.#sums[c] = (this.#sums[c] ?? 0) + (row[c] ?? 0);
    const w = this.#w;
    const gap = r - w;
    if (gap < 2 * w - 1 || gap >= this.ratios.length - 2 * w) return;
    let past = epsilon;
    let future = epsilon;
    for (let k = 0; k < w; k++) {
      past += this.#sums[gap - k] ?? 0;
      future += this.#sums[gap + 1 + k] ?? 0;
    }
    this.ratios[gap] = Math.max(past, future) / Math.min(past, future);
  }
}

/** A gap is a boundary where attention to its sides differs by this factor. */
export const boundaryRatio = 2;
