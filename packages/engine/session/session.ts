import type { PageFormat } from '@loci/kernels';
import { pages } from '../axes/store.ts';
import type { SegmentInput } from '../decoder/segment.ts';
import type { Precision } from '../decoder/workspace.ts';
import { LociError } from '../errors.ts';
import type { ChatMessage } from '../text/chat-template.ts';
import { type GenerateOptions, type GenerationResult, generate, type Prefilled, type Token } from './generate.ts';
import type { MethodSet, Reads } from './methods.ts';
import type { Model, OpenOptions } from './model.ts';
import type { ReadOptions, Sequence } from './sequence.ts';
import { type SnapshotHeader, writeSnapshot } from './snapshot.ts';

/** What a session reads: text, a conversation, token ids as they are, or rows [n, c] in place of token embeddings. */
export type Prompt =
  | string
  | { readonly messages: readonly ChatMessage[] }
  | { readonly ids: ArrayLike<number> }
  | { readonly embeddings: Float32Array };

export interface Scores {
  /** −ln p in nats of every token but the first, given those before it. */
  readonly losses: Float64Array;
  readonly meanNll: number;
}

/**
 * One conversation: a sequence of tokens with its cache. A new prompt reuses the longest prefix that the cache already
 * holds. One call at a time; sessions of the same model may run at the same time and share the work.
 */
export class Session {
  readonly model: Model;
  readonly precision: Precision;
  readonly #sequence: Sequence;
  /**
   * Logits behind the first `length` tokens of the sequence. Asked again, the same prompt gets the very same ones:
   * reading its last token alone would round differently, and a seed would no longer fix the text.
   */
  #known: { readonly length: number; readonly logits: Float32Array } | undefined;
  #busy = false;

  constructor(model: Model, precision: Precision, sequence: Sequence) {
    this.model = model;
    this.precision = precision;
    this.#sequence = sequence;
  }

  /** Number format of keys and values. */
  get store(): PageFormat {
    return this.methods.store.format;
  }

  /** How it attends, what it keeps, and the rest. */
  get methods(): MethodSet {
    return this.#sequence.methods.set;
  }

  /** Positions of the kept slots, [layer][key/value head], ascending; −1 is a slot that stands for others. */
  get kept(): readonly (readonly Int32Array[])[] {
    const { layers, kvHeads } = this.model.arch;
    return layers.map((_, layer) =>
      Array.from({ length: kvHeads }, (_, head) => this.#sequence.cache.positions(layer, head)),
    );
  }

  /** What the session's probes have found so far. */
  get found(): readonly { readonly probe: string; readonly result: unknown }[] {
    return this.#sequence.methods.found;
  }

  /** What attention has read since the session was opened. */
  get reads(): Reads {
    return this.#sequence.methods.reads;
  }

  /** What the attend method decided, for `--inspect`: JSON, or undefined. */
  get attended(): unknown {
    return this.#sequence.methods.attending?.inspect?.();
  }

  /** What the remember method decided, for `--inspect`: JSON, or undefined. */
  get remembered(): unknown {
    return this.#sequence.methods.remembering?.inspect?.();
  }

  /** Tokens whose keys and values are kept. */
  get ids(): readonly number[] {
    return this.#sequence.ids;
  }

  /** Bytes of the pages that hold them. */
  get kvBytes(): number {
    return this.#sequence.cache.bytes;
  }

  /** The most bytes of pages that the session ever held, before a method dropped some. */
  get mostKvBytes(): number {
    return this.#sequence.cache.mostBytes;
  }

  /**
   * Reads a prompt into the cache.
   * @throws LociError `too-long` when it does not fit the window, `aborted` (what was read stays read).
   */
  async prefill(prompt: Prompt, options: ReadOptions = {}): Promise<Prefilled> {
    return this.#alone(() => this.#prefill(prompt, options));
  }

  /**
   * Generates behind a prompt, token by token; the generator's return value is the summary.
   * @throws LociError `too-long`, `bad-option`, `bad-numbers`, `aborted`, `device-failed`.
   */
  async *generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<Token, GenerationResult> {
    this.#enter();
    try {
      const prefill = () => this.#prefill(prompt, options);
      return yield* generate(this.#sequence, this.model, prefill, options);
    } finally {
      this.#busy = false;
    }
  }

  /** Generates to the end and returns the summary. */
  async complete(prompt: Prompt, options: GenerateOptions = {}): Promise<GenerationResult> {
    const tokens = this.generate(prompt, options);
    for (;;) {
      const next = await tokens.next();
      if (next.done) return next.value;
    }
  }

  /** Losses of a text by itself, in a cache of its own: the session's is left as it is. */
  async score(prompt: Prompt, options: ReadOptions = {}): Promise<Scores> {
    const ids = this.model.idsOf(prompt);
    if (ids.length < 2) throw new LociError('bad-option', `a score needs at least 2 tokens, there are ${ids.length}`);
    const sequence = this.model.newSequence(this.precision, this.methods);
    try {
      const input = { kind: 'ids', ids: ids.subarray(0, -1) } as const;
      const { losses } = await sequence.read(input, { targets: ids.subarray(1) }, options);
      return { losses, meanNll: mean(losses) };
    } finally {
      sequence.close();
    }
  }

  /**
   * Losses of candidate continuations of one prompt. The prompt is read once; the candidates run in one batch on forks
   * of its cache.
   */
  async scoreContinuations(
    prompt: Prompt,
    continuations: readonly ArrayLike<number>[],
    options: ReadOptions = {},
  ): Promise<readonly Float64Array[]> {
    return this.#alone(async () => {
      const { logits } = await this.#prefill(prompt, options);
      return Promise.all(continuations.map((continuation) => this.#scoreBehind(logits, continuation, options)));
    });
  }

  /** The residual stream behind the last token of a prompt: after the embedding, every block and the final norm. */
  async hiddenStates(prompt: Prompt, options: ReadOptions = {}): Promise<readonly Float32Array[]> {
    const sequence = this.model.newSequence(this.precision, this.methods);
    try {
      return (await sequence.read(this.#input(prompt), { hidden: true }, options)).hidden;
    } finally {
      sequence.close();
    }
  }

  /**
   * A session that goes on from here by itself; pages are shared until one of the two writes to them. With another keep or
   * store, which act on what is read from then on: a prompt that has been read can be given to it again, and its
   * end is read anew where the method must see it. A keep that is undefined keeps everything.
   * @throws LociError `bad-option` when the methods clash, or one of the two keeps decides how far heads see.
   */
  fork(others?: { readonly keep?: OpenOptions['keep'] | undefined } & Pick<OpenOptions, 'store'>): Session {
    const { store, ...keep } = others ?? {};
    const changed = others && { ...keep, ...(store && { store: typeof store === 'string' ? pages(store) : store }) };
    const fork = new Session(this.model, this.precision, this.#sequence.fork(changed));
    if (!others) fork.#known = this.#known;
    return fork;
  }

  /** Writes the session to a file that `model.restore` reads; an old file of that name is replaced in one step. */
  async save(path: string): Promise<void> {
    await this.#alone(async () => {
      const { arch, fingerprint, files } = this.model;
      const { methods, blocks } = this.#sequence.saved();
      const header: SnapshotHeader = {
        model: fingerprint,
        precision: this.precision,
        format: this.#sequence.cache.pool.format,
        ...methods,
        layers: arch.layers.length,
        kvHeads: arch.kvHeads,
        headSize: arch.headSize,
        ids: this.#sequence.ids,
      };
      const partial = `${path}.partial`;
      await files.remove(partial);
      const file = await files.openGrowing(partial);
      try {
        for await (const chunk of writeSnapshot(header, this.#sequence.cache, blocks)) await file.append(chunk);
        await file.sync();
      } catch (error) {
        await file.close();
        await files.remove(partial);
        throw error;
      }
      await file.close();
      await files.rename(partial, path);
    });
  }

  close(): void {
    this.#sequence.close();
  }

  async #prefill(prompt: Prompt, options: ReadOptions): Promise<Prefilled> {
    const started = performance.now();
    const input = this.#input(prompt);
    const promptTokens = input.kind === 'ids' ? input.ids.length : input.n;
    if (promptTokens === 0) throw new LociError('bad-option', 'the prompt is empty');
    this.#sequence.checkFits(promptTokens);
    let reusedTokens = input.kind === 'ids' ? this.#sequence.commonPrefix(input.ids) : 0;
    const known = reusedTokens === promptTokens && this.#known?.length === promptTokens ? this.#known : undefined;
    // The last token is read again where its logits are not known.
    if (reusedTokens === promptTokens && !known) reusedTokens--;
    // A method that looks at the last rows gets them anew, as far as they can be had.
    const rows = this.methods.keep?.lastRows ?? 0;
    if (!known && Math.max(0, promptTokens - rows) >= this.#sequence.cache.exactFrom) {
      reusedTokens = Math.min(reusedTokens, Math.max(0, promptTokens - rows));
    }
    reusedTokens = this.#sequence.truncate(reusedTokens);
    this.#known = (reusedTokens === promptTokens ? known : undefined) ?? {
      length: promptTokens,
      logits: await this.#readRest(input, reusedTokens, options),
    };
    return { logits: this.#known.logits, promptTokens, reusedTokens, prefillMs: performance.now() - started };
  }

  async #readRest(input: SegmentInput, from: number, options: ReadOptions): Promise<Float32Array> {
    // What is known holds for the tokens that were there: it must not outlive a reading that fails half-way.
    this.#known = undefined;
    const rest: SegmentInput = input.kind === 'ids' ? { kind: 'ids', ids: input.ids.subarray(from) } : input;
    return (await this.#sequence.read(rest, {}, options)).logits;
  }

  async #scoreBehind(
    logits: Float32Array,
    continuation: ArrayLike<number>,
    options: ReadOptions,
  ): Promise<Float64Array> {
    const ids = Int32Array.from(continuation);
    const first = ids[0];
    if (first === undefined) return new Float64Array();
    const losses = new Float64Array(ids.length);
    losses[0] = lossOf(logits, first);
    if (ids.length === 1) return losses;
    const fork = this.#sequence.fork();
    try {
      const read = await fork.read(
        { kind: 'ids', ids: ids.subarray(0, -1) },
        { targets: ids.subarray(1), behindPrompt: true },
        options,
      );
      losses.set(read.losses, 1);
      return losses;
    } finally {
      fork.close();
    }
  }

  #input(prompt: Prompt): SegmentInput {
    if (typeof prompt === 'object' && 'embeddings' in prompt) {
      const { width } = this.model.arch;
      const n = prompt.embeddings.length / width;
      if (!Number.isInteger(n)) {
        throw new LociError('bad-option', `${prompt.embeddings.length} numbers are not whole rows of ${width}`);
      }
      return { kind: 'embeddings', rows: prompt.embeddings, n };
    }
    return { kind: 'ids', ids: this.model.idsOf(prompt) };
  }

  #enter(): void {
    if (this.#busy)
      throw new LociError('bad-option', 'this session is busy: await its last call, or open another session');
    this.#busy = true;
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#enter();
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }
}

/** −ln softmax(logits)[id] in nats. */
function lossOf(logits: Float32Array, id: number): number {
  const top = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - top), 0);
  return Math.log(sum) + top - (logits[id] ?? Number.NaN);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
