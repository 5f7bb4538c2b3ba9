import { exactMatch, type Json, summarizeLosses, type TaskCase } from '@loci/evaluate';
import { pageBytes, pageSlots } from '@loci/kernels';
import { LociError, type Model, type Session } from 'loci';
import { parseMethod } from '../registry.ts';
import type { Entry } from './entries.ts';

/** Whether a method sees the question when it compresses. */
export type Mode = 'query-aware' | 'query-agnostic';

export interface Outcome {
  /** Of a teacher-forced answer, behind its first token, in nats. */
  readonly nll: number;
  /** Whether the answer that is generated is right, token by token. */
  readonly exact: boolean;
  /** Allocated behind what was compressed, as a share of what dense halves take for it. */
  readonly bytes: number;
  /** Slots per head that were asked for. */
  readonly budget: number;
}

export function isOutcome(value: Json | undefined): value is Json & Outcome {
  return typeof value === 'object' && value !== null && 'nll' in value && 'exact' in value && 'bytes' in value;
}

/** A prompt that has been read once, densely and in halves, for all that is measured with it. */
export class Asked {
  readonly #model: Model;
  readonly #case: TaskCase;
  readonly #dense: Session;
  readonly #prompt: { readonly ids: readonly number[] };

  private constructor(model: Model, one: TaskCase, dense: Session) {
    this.#model = model;
    this.#case = one;
    this.#dense = dense;
    this.#prompt = { ids: [...one.context, ...one.question] };
  }

  static async read(model: Model, one: TaskCase): Promise<Asked> {
    const asked = new Asked(model, one, await model.open({ store: 'f16' }));
    await asked.#dense.prefill(asked.#prompt);
    return asked;
  }

  /** Everything is kept, in some store. */
  async whole(store: Entry['store']): Promise<Outcome> {
    const session = this.#dense.fork({ store });
    try {
      return await this.#judge(session, 'query-aware', 0);
    } finally {
      session.close();
    }
  }

  /**
   * The largest budget that stays within the share of the bytes, tried from `start` down: pages are given out whole, and how
   * much of them heads waste is seen only when they are there.
   */
  async within(entry: Entry, share: number, mode: Mode, start?: number): Promise<Outcome> {
    const { heads, perHead } = this.#pages(share, entry.store, mode);
    for (let budget = start ?? Math.floor(perHead * pageSlots); budget > 0; ) {
      const session = await this.#open(entry, budget);
      try {
        await session.prefill(this.#compressed(mode));
        const over = session.kvBytes / (heads * pageBytes(entry.store, this.#model.arch.headSize)) - perHead;
        if (over <= 1e-9) return await this.#judge(session, mode, budget);
        // An even budget falls back to its last full page at once.
        const step = Math.max(1, Math.min(budget % pageSlots || pageSlots, Math.ceil(over * pageSlots)));
        budget -= step;
      } finally {
        session.close();
      }
    }
    throw new LociError('bad-option', `${entry.keep}: no budget takes ${share} of the bytes`);
  }

  async #open({ keep, store }: Entry, budget: number): Promise<Session> {
    const [name = '', options] = keep.split(':');
    // Its heads see no more while they read either, so that what was read densely is of no use to it.
    if (name === 'streaming-llm') {
      const method = parseMethod.keep(`${name}:sinks=4,recent=${Math.max(1, budget - 4)}`);
      return this.#model.open({ store, ...(method && { keep: method }) });
    }
    const method = parseMethod.keep(`${name}:budget=${budget}${options ? `,${options}` : ''}`);
    return this.#dense.fork({ store, ...(method && { keep: method }) });
  }

  #compressed(mode: Mode): { readonly ids: readonly number[] } {
    return mode === 'query-aware' ? this.#prompt : { ids: [...this.#case.context] };
  }

  /** Heads of the model, and the pages that each may have on average. */
  #pages(share: number, store: Entry['store'], mode: Mode): { readonly heads: number; readonly perHead: number } {
    const { layers, kvHeads, headSize } = this.#model.arch;
    const dense = Math.ceil(this.#compressed(mode).ids.length / pageSlots) * pageBytes('f16', headSize);
    return { heads: layers.length * kvHeads, perHead: (share * dense) / pageBytes(store, headSize) };
  }

  async #judge(session: Session, mode: Mode, budget: number): Promise<Outcome> {
    await session.prefill(this.#compressed(mode));
    const { heads, perHead } = this.#pages(1, 'f16', mode);
    const bytes = session.kvBytes / (heads * perHead * pageBytes('f16', this.#model.arch.headSize));
    const [losses = new Float64Array()] = await session.scoreContinuations(this.#prompt, [this.#case.answer]);
    const { ids } = await session.complete(this.#prompt, { maxTokens: this.#case.answer.length, ignoreEnd: true });
    const exact = exactMatch(ids, this.#case.answer);
    return { nll: summarizeLosses(losses).meanAfterFirst, exact, bytes, budget };
  }

  close(): void {
    this.#dense.close();
  }
}
