import { type Choice, mostLikely } from '@loci/kernels';
import type { Moment } from '../axes/hook.ts';
import type { SavedBlocks } from '../axes/method.ts';
import type { KvCache } from '../cache/cache.ts';
import { type Ahead, inputLength, type SegmentInput, type SegmentResult } from '../decoder/segment.ts';
import { maxRows, type Precision } from '../decoder/workspace.ts';
import { LociError } from '../errors.ts';
import { type OpenMethods, specsOf } from './methods.ts';
import type { Scheduler } from './scheduler.ts';
import type { SavedMethods } from './snapshot.ts';

export interface ReadProgress {
  readonly doneTokens: number;
  readonly totalTokens: number;
  readonly tokensPerSecond: number;
  /** What a method is working at behind the rows that were read, and how much of it is done (0 … 1). */
  readonly work?: { readonly what: string; readonly share: number };
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
}

/** Stands in `Sequence.ids` for a row that was given as an embedding. */
export const embeddedRow = -1;

/** What is wanted of the rows that are read, beside the logits of the last one. */
export interface ReadWants {
  /** The loss of this token at every row; −1 for none. */
  readonly targets?: Int32Array;
  /** The residual stream of the last row at every depth. */
  readonly hidden?: boolean;
  /** How the token behind the last row is chosen: only it is read, in place of its logits. */
  readonly choice?: Choice;
  /** How the tokens behind that one will be chosen if they are read one by one: some may be taken ahead. */
  readonly ahead?: Ahead;
  /** The rows will be read again: probes do not see them. */
  readonly rehearsal?: boolean;
  /** Whether the rows are a prompt (the default) or what follows one. */
  readonly behindPrompt?: boolean;
}

export interface ReadResult {
  /** Of the last row: [v]; empty where a token was chosen. */
  readonly logits: Float32Array;
  /** The token behind the last row, where one was to be chosen; −1 where there is none. */
  readonly chosen: number;
  readonly losses: Float64Array;
  readonly hidden: readonly Float32Array[];
}

/** Tokens that a program has taken beyond what was asked for. */
interface Taken {
  /** All but the last are in the cache, behind those of the sequence. */
  readonly tokens: number[];
  /** How each but the first was chosen. */
  readonly choices: Choice[];
}

/** The tokens whose keys and values are in a cache, and how more of them get there. */
export class Sequence {
  readonly cache: KvCache;
  readonly methods: OpenMethods;
  readonly #scheduler: Scheduler;
  readonly #precision: Precision;
  /** Tokens it may hold. */
  readonly window: number;
  #ids: number[];
  #ahead: Taken | undefined;

  constructor(
    cache: KvCache,
    methods: OpenMethods,
    scheduler: Scheduler,
    precision: Precision,
    window: number,
    ids: readonly number[] = [],
  ) {
    this.cache = cache;
    this.methods = methods;
    this.#scheduler = scheduler;
    this.#precision = precision;
    this.window = window;
    this.#ids = [...ids];
  }

  get ids(): readonly number[] {
    return this.#ids;
  }

  get length(): number {
    return this.#ids.length;
  }

  fork(others?: Parameters<OpenMethods['fork']>[0]): Sequence {
    const methods = this.methods.fork(others);
    const cache = this.cache.fork();
    if (this.#ahead) cache.truncate(this.#ids.length);
    return new Sequence(cache, methods, this.#scheduler, this.#precision, this.window, this.#ids);
  }

  /**
   * Forgets everything from a position on, or everything there is: where tokens before it are missing because of those
   * behind it, the sequence would not be what it was at that length. Returns how many tokens are left.
   */
  truncate(length: number): number {
    this.dropAhead();
    if (length >= this.#ids.length) return this.#ids.length;
    const left = length < this.cache.exactFrom ? 0 : length;
    this.cache.truncate(length);
    this.#ids.length = left;
    if (left === 0) this.methods.begin(this.cache);
    return left;
  }

  /** Tokens at the start of `ids` that are in the cache already. */
  commonPrefix(ids: ArrayLike<number>): number {
    let n = 0;
    while (n < this.#ids.length && n < ids.length && this.#ids[n] === ids[n] && ids[n] !== embeddedRow) n++;
    return n;
  }

  /** @throws LociError `too-long` when a sequence of `tokens` tokens is longer than the window. */
  checkFits(tokens: number): void {
    if (tokens <= this.window) return;
    const sizes = `${tokens} tokens do not fit the window of ${this.window} tokens`;
    throw new LociError(
      'too-long',
      `${sizes}: shorten the text, choose a model with a longer window, or read it with --remember`,
    );
  }

  /**
   * Reads rows behind what is there, chunk by chunk. What was read before an error or an abort stays read.
   * @throws LociError `too-long` before anything is read, `aborted`, `device-failed`, `out-of-memory`.
   */
  async read(input: SegmentInput, wants: ReadWants = {}, options: ReadOptions = {}): Promise<ReadResult> {
    const taken = this.#takeAhead(input, wants, options);
    if (taken) return taken;
    this.dropAhead();
    try {
      return await this.#read(input, wants, options);
    } catch (error) {
      this.methods.remembering?.recollect?.(undefined);
      throw error;
    }
  }

  /** Forgets what was taken ahead: the cache holds the tokens of the sequence and no others. */
  dropAhead(): void {
    if (!this.#ahead) return;
    this.#ahead = undefined;
    this.cache.truncate(this.#ids.length);
  }

  /** Reads a token that was taken ahead, if it is that one and the next is to be chosen as it was. */
  #takeAhead(input: SegmentInput, { choice }: ReadWants, { signal }: ReadOptions): ReadResult | undefined {
    const { tokens, choices } = this.#ahead ?? { tokens: [], choices: [] };
    const [id, chosen] = tokens;
    if (id === undefined || chosen === undefined || choice !== choices[0]) return undefined;
    if (input.kind !== 'ids' || input.ids.length !== 1 || input.ids[0] !== id) return undefined;
    if (signal?.aborted) throw new LociError('aborted', 'stopped');
    this.#ids.push(id);
    tokens.shift();
    choices.shift();
    if (choices.length === 0) this.#ahead = undefined;
    return { logits: new Float32Array(), chosen, losses: Float64Array.of(Number.NaN), hidden: [] };
  }

  async #read(input: SegmentInput, wants: ReadWants, { signal, onProgress }: ReadOptions): Promise<ReadResult> {
    const { remembering } = this.methods;
    const { choice } = wants;
    const total = inputLength(input);
    if (total === 0) throw new LociError('bad-option', 'there are no tokens to read');
    this.checkFits(this.#ids.length + total);
    const losses = new Float64Array(total);
    const next = this.#nextTokens(input, wants);
    const targets = wants.targets ?? next;
    const started = performance.now();
    let last: SegmentResult | undefined;
    // Rows at the end that may be read on a fork first.
    const mayRehearse = remembering?.rehearses && !wants.rehearsal && !wants.behindPrompt && !wants.targets;
    const end = mayRehearse ? Math.min(total, remembering.chunk ?? maxRows) : 0;
    for (let from = 0; from < total; ) {
      if (end > 0 && from === total - end && remembering?.rehearses?.(end)) {
        await this.#rehearse(slice(input, from, end), signal);
      }
      const left = total - from;
      const apart = wants.behindPrompt ? 0 : (remembering?.apart ?? 0);
      const n = end > 0 && left > end ? this.#rows(left - end, 0) : this.#rows(left, apart);
      const start = this.#ids.length;
      const isLast = from + n === total;
      const moment: Moment = wants.behindPrompt ? 'decode' : isLast ? 'prompt end' : 'prompt';
      last = await this.#scheduler.submit(
        {
          cache: this.cache,
          moment,
          hooks: wants.rehearsal ? this.methods.unwatched : this.methods.hooks,
          attending: this.methods.attending,
          remembering,
          counts: this.methods.counts,
          input: slice(input, from, n),
          before: this.#ids,
          positions: Int32Array.from({ length: n }, (_, i) => start + i),
          ...(isLast && (choice ? { choices: [{ row: n - 1, choice }] } : { logits: [n - 1] })),
          ...(isLast && !this.methods.keeper && { ahead: wants.ahead }),
          ...(targets && { targets: targets.subarray(from, from + n) }),
          ...(wants.hidden && isLast && { hidden: [n - 1] }),
        },
        this.#precision,
        signal,
      );
      losses.set(last.losses, from);
      const { chosen } = last;
      if (chosen.length > 1)
        this.#ahead = { tokens: [...chosen], choices: (wants.ahead?.choices ?? []).slice(0, chosen.length - 1) };
      for (let i = 0; i < n; i++)
        this.#ids.push(input.kind === 'ids' ? (input.ids[from + i] ?? embeddedRow) : embeddedRow);
      // What was asked for may be other tokens than those that follow.
      const known = last.losses.map((loss, i) => (targets?.[from + i] === next?.[from + i] ? loss : Number.NaN));
      from += n;
      const seconds = (performance.now() - started) / 1000;
      const done = { doneTokens: from, totalTokens: total, tokensPerSecond: from / seconds };
      const progress = (what: string, share: number) => onProgress?.({ ...done, work: { what, share } });
      await this.methods.settle({ moment, n, position: start, cache: this.cache, losses: known, signal, progress });
      onProgress?.(done);
    }
    return {
      logits: last?.logits[0] ?? new Float32Array(),
      chosen: last?.chosen[0] ?? -1,
      losses,
      hidden: last?.hidden[0] ?? [],
    };
  }

  /** Chooses a token from logits that were read before; −1 where they hold a NaN or no finite number. */
  choose(logits: Float32Array, choice: Choice): Promise<number> {
    return this.#scheduler.choose(logits, choice);
  }

  /** Reads the rows that come next on a fork, for what they bring back. */
  async #rehearse(input: SegmentInput, signal: AbortSignal | undefined): Promise<void> {
    const fork = this.fork();
    try {
      await fork.read(input, { choice: mostLikely, rehearsal: true }, { signal });
      this.methods.addReads(fork.methods);
      const { remembering } = fork.methods;
      if (remembering) this.methods.remembering?.recollect?.(remembering);
    } finally {
      fork.close();
    }
  }

  /** The token behind every row of a prompt, −1 behind the last, where a method goes by their losses. */
  #nextTokens(input: SegmentInput, { behindPrompt }: ReadWants): Int32Array | undefined {
    if (!this.methods.set.remember?.losses || behindPrompt || input.kind !== 'ids') return undefined;
    return Int32Array.from(input.ids, (_, i) => input.ids[i + 1] ?? -1);
  }

  /** What a saved session holds of it beside the pages. */
  saved(): { readonly methods: SavedMethods; readonly blocks: readonly SavedBlocks[] } {
    this.dropAhead();
    const { state, blocks } = this.methods.save();
    const specs = specsOf(this.methods.set);
    const methods = {
      ...specs,
      exactFrom: this.cache.exactFrom,
      state,
      blocks: blocks.reduce((sum, { count }) => sum + count, 0),
    };
    return { methods, blocks };
  }

  /**
   * Rows of the next program, of so many that are left: the last ones stay together where a method must see them so, or else
   * `apart` of them are a program of their own.
   */
  #rows(left: number, apart: number): number {
    const chunks = [this.methods.keeper, this.methods.attending, this.methods.remembering].map(
      (one) => one?.chunk ?? maxRows,
    );
    const most = Math.min(maxRows, ...chunks);
    const wanted = Math.max(this.methods.set.keep?.lastRows ?? 1, this.methods.attending?.lastRows ?? 1);
    const together = Math.min(wanted, most);
    // What must stay together is not torn apart.
    const end = left > apart && wanted <= 1 ? left - apart : left;
    if (end <= most || end - most >= together) return Math.min(most, end);
    return end - together;
  }

  close(): void {
    this.#ahead = undefined;
    this.methods.close();
    this.cache.close();
    this.#ids = [];
  }
}

function slice(input: SegmentInput, from: number, n: number): SegmentInput {
  if (input.kind === 'ids') return { kind: 'ids', ids: input.ids.subarray(from, from + n) };
  const width = input.rows.length / input.n;
  return { kind: 'embeddings', rows: input.rows.subarray(from * width, (from + n) * width), n };
}
