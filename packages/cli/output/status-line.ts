const redrawMs = 100;
const plainMs = 5000;

/** What a line needs of the stream it is written to. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** One line about work under way: redrawn in place in a terminal, a line every few seconds elsewhere. */
export class StatusLine {
  readonly #stream: Screen;
  #notBefore = 0;
  #shown = false;

  constructor(stream: Screen) {
    this.#stream = stream;
  }

  /** Starts a new piece of work, which is worth a line when it takes longer than `delayMs`. */
  begin(delayMs: number): void {
    this.clear();
    this.#notBefore = performance.now() + (this.#stream.isTTY ? delayMs : Math.max(delayMs, plainMs));
  }

  show(text: string): void {
    const now = performance.now();
    if (now < this.#notBefore) return;
    this.#notBefore = now + (this.#stream.isTTY ? redrawMs : plainMs);
    if (!this.#stream.isTTY) {
      this.#stream.write(`${text}\n`);
      return;
    }
    // A line that wraps could not be taken back.
    const line = text.slice(0, (this.#stream.columns ?? 80) - 1);
    this.#stream.write(`\r\x1b[K${line}`);
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) this.#stream.write('\r\x1b[K');
    this.#shown = false;
  }
}
