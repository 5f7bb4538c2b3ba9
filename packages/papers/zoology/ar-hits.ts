/** A target that completes a pair of tokens which stood in its context before: an associative recall of text as it is. */
export interface Hit {
  /** Index of the target. */
  readonly at: number;
  /** Index of the same token behind the same token before it, the latest one. */
  readonly earlier: number;
}

/** A pair of tokens as one number. */
const pair = (first: number, second: number): number => first * 2 ** 24 + second;

/** Every target whose pair (x_{i−1}, x_i) occurred before in these tokens (Arora et al. 2023, section 3). */
export function hitsOf(ids: ArrayLike<number>): readonly Hit[] {
  const last = new Map<number, number>();
  const hits: Hit[] = [];
  for (let at = 1; at < ids.length; at++) {
    const key = pair(ids[at - 1] ?? 0, ids[at] ?? 0);
    const earlier = last.get(key);
    if (earlier !== undefined) hits.push({ at, earlier });
    last.set(key, at);
  }
  return hits;
}

/** How often pairs of tokens occur in texts. */
export class PairCounts {
  readonly #counts = new Map<number, number>();
  #tokens = 0;

  add(ids: ArrayLike<number>): void {
    for (let at = 1; at < ids.length; at++) {
      const key = pair(ids[at - 1] ?? 0, ids[at] ?? 0);
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
    this.#tokens += ids.length;
  }

  get tokens(): number {
    return this.#tokens;
  }

  of(first: number, second: number): number {
    return this.#counts.get(pair(first, second)) ?? 0;
  }
}
