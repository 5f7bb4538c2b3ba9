import { z } from 'zod';
import type { Range } from '../remembering/unrotated.ts';
import { type Rows, refined } from './refine.ts';
import type { Settings } from './remember.ts';
import { closeEvents } from './spans.ts';
import { surprising } from './surprise.ts';

/** Keys of the tokens of a range as rows, for parts of it. */
export type RowsOf = (range: Range) => Promise<(start: number, end: number) => Rows>;

/** Where a text is cut into events: its first tokens | events | what is not closed yet, ascending. */
export class Segmentation {
  readonly #settings: Settings;
  /** −ln p of every token, NaN where it is not known. */
  #losses: number[] = [];
  /** Cuts behind the last event, ascending. */
  #cuts: number[] = [];
  /** First tokens of the events; each ends where the next begins, and the last at `closed`. */
  #starts: number[] = [];
  /** Of the events, in tokens. */
  #sizes: number[] = [];
  #closed: number;
  #scored = 0;
  #surprises = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#closed = settings.init;
  }

  /** Tokens before this one are of the beginning or of events; from here on to the window they are the remainder. */
  get closed(): number {
    return this.#closed;
  }

  /** Events. */
  get count(): number {
    return this.#starts.length;
  }

  /** Tokens of all events. */
  get tokens(): number {
    return this.#closed - (this.#starts[0] ?? this.#closed);
  }

  get sizes(): readonly number[] {
    return this.#sizes;
  }

  /** Tokens whose loss was taken on the way. */
  get scored(): number {
    return this.#scored;
  }

  /** Those of them that surprised. */
  get surprises(): number {
    return this.#surprises;
  }

  event(event: number): Range {
    return { start: this.#starts[event] ?? this.#closed, end: this.#starts[event + 1] ?? this.#closed };
  }

  /**
   * Takes the losses of the tokens behind `from` − 1, and decides where they are cut.
   * @param length Tokens that were read.
   * @param rowsOf Keys that cuts are refined by.
   */
  async add(from: number, losses: Float64Array, length: number, rowsOf: RowsOf): Promise<void> {
    while (this.#losses.length < length) this.#losses.push(Number.NaN);
    let known = 0;
    for (const [i, loss] of losses.entries()) {
      this.#losses[from + i] = loss;
      if (!Number.isNaN(loss)) known++;
    }
    this.#scored += known;
    if (known > 0) await this.#cut(from, length, rowsOf);
  }

  /** The events that have left the window, which `close` then takes. */
  closable(length: number): readonly Range[] {
    const { local, min, max } = this.#settings;
    return closeEvents(this.#closed, length - local, this.#cuts, min, max);
  }

  close(events: readonly Range[]): void {
    for (const { start, end } of events) {
      this.#starts.push(start);
      this.#sizes.push(end - start);
      this.#closed = end;
    }
    this.#cuts = this.#cuts.filter((cut) => cut > this.#closed);
  }

  fork(): Segmentation {
    const fork = new Segmentation(this.#settings);
    fork.#losses = [...this.#losses];
    fork.#cuts = [...this.#cuts];
    fork.#starts = [...this.#starts];
    fork.#sizes = [...this.#sizes];
    fork.#closed = this.#closed;
    fork.#scored = this.#scored;
    fork.#surprises = this.#surprises;
    return fork;
  }

  /** JSON that `restore` takes: of the losses, those that thresholds may still need. */
  save(): z.input<typeof savedSegmentation> {
    const { local, chunk } = this.#settings;
    const tail = Math.max(0, this.#losses.length - local - chunk);
    return {
      ...{ closed: this.#closed, cuts: this.#cuts, starts: this.#starts },
      ...{ surprises: this.#surprises, scored: this.#scored },
      losses: this.#losses.slice(tail).map((loss) => (Number.isNaN(loss) ? null : loss)),
      firstLoss: tail,
    };
  }

  restore({ closed, cuts, starts, surprises, scored, losses, firstLoss }: z.output<typeof savedSegmentation>): void {
    this.#closed = closed;
    this.#cuts = [...cuts];
    this.#starts = [...starts];
    this.#sizes = starts.map((start, i) => (starts[i + 1] ?? closed) - start);
    this.#surprises = surprises;
    this.#scored = scored;
    this.#losses = [...new Array<number>(firstLoss).fill(Number.NaN), ...losses.map((loss) => loss ?? Number.NaN)];
  }

  /** Decides where to cut the tokens [from, length], whose losses are known by now. */
  async #cut(from: number, length: number, rowsOf: RowsOf): Promise<void> {
    const { gamma, local, chunk, init, official, refine, min, max } = this.#settings;
    const first = refine === 'off' ? init : chunk;
    const found = surprising(this.#losses, from, { gamma, local, chunk, first });
    this.#surprises += found.length;
    const last = () => this.#cuts.at(-1) ?? this.#closed;
    const fresh = found.map((token) => (official === 'yes' ? token - 1 : token)).filter((cut) => cut > last());
    const [earliest] = fresh;
    if (refine === 'off' || earliest === undefined) {
      this.#cuts.push(...fresh);
      return;
    }
    // Windows reach back as far as this at most, and not into what is closed.
    const reach = 2 * max;
    const start = Math.max(this.#closed, earliest - Math.ceil(1.5 * reach) - 1);
    const rows = await rowsOf({ start, end: length });
    for (const cut of fresh) {
      const predecessor = Math.max(last(), cut - reach);
      const moved =
        cut >= length ? cut : refined(cut, predecessor, { measure: refine, min, first: start, end: length, rows });
      if (moved > last()) this.#cuts.push(moved);
    }
  }
}

const numbers = z.array(z.int());

export const savedSegmentation = z.object({
  ...{ closed: z.int(), surprises: z.int(), scored: z.int(), firstLoss: z.int() },
  ...{ cuts: numbers, starts: numbers, losses: z.array(z.number().nullable()) },
});
