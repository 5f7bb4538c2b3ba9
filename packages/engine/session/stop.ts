/** Watches a growing text for stop strings and holds back what may become one. */
export class StopWatch {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[] = []) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /** Text that may be shown now, and whether a stop string has appeared (it and what follows are dropped). */
  push(piece: string): { readonly text: string; readonly stopped: boolean } {
    this.#held += piece;
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      const text = this.#held.slice(0, Math.min(...found));
      this.#held = '';
      return { text, stopped: true };
    }
    const keep = this.#unfinished();
    const text = this.#held.slice(0, this.#held.length - keep);
    this.#held = this.#held.slice(this.#held.length - keep);
    return { text, stopped: false };
  }

  /** What was held back when the text ends without a stop string. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** Length of the longest end of the text that begins a stop string. */
  #unfinished(): number {
    const longest = this.#stops.reduce((most, stop) => Math.max(most, stop.length - 1), 0);
    for (let length = Math.min(longest, this.#held.length); length > 0; length--) {
      const end = this.#held.slice(this.#held.length - length);
      if (this.#stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
