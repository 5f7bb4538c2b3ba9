import type { Choice } from '@loci/kernels';
import type { KvCache } from '../cache/cache.ts';
import type { Decoder } from '../decoder/decoder.ts';
import { inputLength, type Segment, type SegmentResult } from '../decoder/segment.ts';
import { maxRows, type Precision } from '../decoder/workspace.ts';
import { LociError } from '../errors.ts';
import { nextTurn } from '../text/steps.ts';
import { asLociError } from './device-errors.ts';

interface Job {
  readonly segment: Segment;
  readonly precision: Precision;
  readonly signal: AbortSignal | undefined;
  resolve(result: SegmentResult): void;
  reject(error: unknown): void;
}

/** How many tokens are generated before the first of them is given out: as many as take `ms`, and at most `tokens`. */
export interface Burst {
  readonly tokens: number;
  readonly ms: number;
}

/** Nobody minds a text that grows 25 times a second, and between two programs the threads have nothing to do. */
export const defaultBurst: Burst = { tokens: 16, ms: 40 };

/** A program for every token. */
export const single: Burst = { tokens: 1, ms: 0 };

/**
 * Puts the segments that sessions submit at the same time into one program: sequences that generate together read the
 * weights once for all of them.
 */
export class Scheduler {
  readonly #decoder: Decoder;
  readonly #burst: Burst;
  readonly #queue: Job[] = [];
  #busy = false;
  /** Of the sequences that the last program answered. */
  #answered: readonly KvCache[] = [];

  /** What the last program of single tokens took for each, and of how many sequences. */
  #pace = { sequences: 0, ms: 0 };

  constructor(decoder: Decoder, burst: Burst) {
    this.#decoder = decoder;
    this.#burst = burst;
  }

  /**
   * Runs a segment of at most `maxRows` rows, together with others.
   * @throws LociError `aborted`; `device-failed` when a kernel failed or a worker died.
   */
  submit(segment: Segment, precision: Precision, signal?: AbortSignal): Promise<SegmentResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ segment, precision, signal, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      void this.#work();
    });
  }

  /**
   * Chooses a token from logits; −1 where they hold a NaN or no finite number.
   * @throws LociError `device-failed`, `out-of-memory`.
   */
  async choose(logits: Float32Array, choice: Choice): Promise<number> {
    try {
      return await this.#decoder.choose(logits, choice);
    } catch (error) {
      throw asLociError(error);
    }
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      // Sessions that were answered by the last program get to submit their next token before the batch is made up.
      if (!this.#areBack()) await nextTurn();
      const batch = this.#next();
      if (batch.length > 0) await this.#run(batch);
    }
    this.#busy = false;
  }

  /** Whether all that were answered have submitted something new: a session alone need not wait for others. */
  #areBack(): boolean {
    const isBack = (cache: KvCache) => this.#queue.some(({ segment }) => segment.cache === cache);
    return this.#answered.length > 0 && this.#answered.every(isBack);
  }

  /** Takes the oldest job and all that fit beside it. */
  #next(): Job[] {
    const batch: Job[] = [];
    let rows = 0;
    for (const job of this.#queue.splice(0)) {
      const n = inputLength(job.segment.input);
      if (job.signal?.aborted) job.reject(new LociError('aborted', 'stopped'));
      else if (rows + n <= maxRows && job.precision === (batch[0] ?? job).precision) {
        batch.push(job);
        rows += n;
      } else this.#queue.push(job);
    }
    return batch;
  }

  async #run(batch: readonly Job[]): Promise<void> {
    const [first] = batch;
    if (!first) return;
    this.#answered = batch.map(({ segment }) => segment.cache);
    try {
      const segments = batch.map(({ segment }) => segment);
      // One program cannot stop for one of several sequences; alone it stops at once.
      const signal = batch.length === 1 ? first.signal : undefined;
      const started = performance.now();
      const results = await this.#decoder.forward(segments, first.precision, signal, this.#steps(segments));
      const steps = results[0]?.chosen.length ?? 0;
      if (segments.every(({ input }) => inputLength(input) === 1) && steps > 0) {
        this.#pace = { sequences: segments.length, ms: (performance.now() - started) / steps };
      }
      for (const [i, job] of batch.entries()) {
        const result = results[i];
        if (result) job.resolve(result);
      }
    } catch (error) {
      for (const job of batch) job.reject(asLociError(error));
    }
  }

  /** Tokens that a program may take of every segment: one where others wait for it, or where its time is not known. */
  #steps(segments: readonly Segment[]): number | undefined {
    const { tokens } = this.#burst;
    if (tokens === 1) return undefined;
    const { sequences, ms } = this.#pace;
    if (this.#queue.length > 0 || sequences !== segments.length) return 1;
    return Math.max(1, Math.min(tokens, Math.floor(this.#burst.ms / ms)));
  }
}
