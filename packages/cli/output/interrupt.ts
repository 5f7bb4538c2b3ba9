/**
 * Ctrl-C. The first one stops the innermost work that is under way; the second one, when that did not help, is left to
 * the system and ends the process.
 */
export class Interrupt {
  readonly #controllers = [new AbortController()];
  readonly #onSignal = () => this.#controllers.at(-1)?.abort();

  /** Stops the command. */
  get signal(): AbortSignal {
    return (this.#controllers[0] ?? new AbortController()).signal;
  }

  listen(): void {
    process.once('SIGINT', this.#onSignal);
  }

  /** Runs work that a Ctrl-C stops without stopping the command. */
  async within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#controllers.push(controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#controllers.pop();
      if (controller.signal.aborted) this.listen();
    }
  }
}
