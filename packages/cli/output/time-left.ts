interface Moment {
  readonly done: number;
  readonly ms: number;
}

/**
 * Foretells when a text will be read. The n-th token costs more the more tokens stand before it, so the time of n tokens
 * is taken as a·n + b·n², through what was measured now and half way up to now.
 */
export class TimeLeft {
  readonly #moments: Moment[] = [];

  /** Milliseconds until `total` units are done, when `done` of them took `ms`. */
  after(done: number, ms: number, total: number): number {
    this.#moments.push({ done, ms });
    const half = this.#moments.findLast((moment) => moment.done <= done / 2);
    const mean = ms / done;
    const growth = half ? (mean - half.ms / half.done) / (done - half.done) : 0;
    const first = mean - growth * done;
    // A start that was slow looks like work that becomes cheaper; that it stays as it is says more.
    if (growth <= 0 || first < 0) return mean * (total - done);
    return first * (total - done) + growth * (total ** 2 - done ** 2);
  }
}
