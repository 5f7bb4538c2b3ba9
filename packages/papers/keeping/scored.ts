import type { Encoder } from '@loci/device';
import {
  type Hook,
  type Host,
  type Keep,
  type Keeper,
  type Kept,
  type KvCache,
  type LayerView,
  LociError,
  type Ran,
  type Reading,
} from 'loci';
import { slotsOf } from '../methods/option.ts';
import { type Budgeter, uniform } from './budgets.ts';
import { highest } from './select.ts';

/** Ranks the slots of a prompt that has been read. */
export interface Scorer extends Hook {
  /** A text begins. */
  begin?(): void;
  /**
   * A score for every slot of every key/value head of a layer, the higher the better; of a head only the first
   * `candidates[kvHead]` are looked at.
   */
  scores(
    cache: KvCache,
    layer: number,
    candidates: readonly number[],
  ): readonly Float32Array[] | Promise<readonly Float32Array[]>;
  close?(): void;
}

export interface ScoredOptions {
  readonly base: Pick<Keep, 'axis' | 'name' | 'spec'>;
  /** As on a command line: slots per head, on average, or a share of the prompt. */
  readonly budget: string;
  /** Slots at the end of a prompt that always stay, within the budget, which it may depend on. */
  readonly recent: number | ((budget: number) => number);
  /** Slots at its beginning that always stay, within the budget. */
  readonly sinks?: number;
  readonly lastRows?: number;
  readonly budgeter?: Budgeter;
  /** What a later prompt of the session does: leave what is there (the default), choose again among it, or be refused. */
  readonly onNewTurn?: 'keep' | 'recompress' | 'refuse';
  readonly scorer: (host: Host) => Scorer;
}

/**
 * Keeps the slots that score highest when a prompt has been read, once: what is generated is appended and stays. Scores
 * say which slots, a budgeter says how many of which head.
 */
export function scoredKeep(options: ScoredOptions): Keep {
  const { base, lastRows } = options;
  return {
    ...base,
    axis: 'keep',
    needs: { decides: ['slots'] },
    exactPrompt: true,
    ...(lastRows !== undefined && { lastRows }),
    open: (host) => new ScoredKeeper(host, options),
  };
}

class ScoredKeeper implements Keeper {
  readonly #host: Host;
  readonly #options: ScoredOptions;
  /** Holds what it saw of one prompt; until the next one it is not needed. */
  readonly #scorer: Scorer;
  #compressed = false;

  constructor(host: Host, options: ScoredOptions) {
    this.#host = host;
    this.#options = options;
    this.#scorer = options.scorer(host);
  }

  rotated(encoder: Encoder, view: LayerView): void {
    this.#scorer.rotated?.(encoder, view);
  }

  attended(encoder: Encoder, view: LayerView): void {
    this.#scorer.attended?.(encoder, view);
  }

  ran(rows: Ran): void {
    this.#scorer.ran?.(rows);
  }

  begin(): void {
    this.#compressed = false;
    this.#scorer.begin?.();
  }

  async settle({ moment, cache, length, retain }: Reading): Promise<void> {
    if (moment !== 'prompt end') return;
    const { budget: wanted, sinks = 0, onNewTurn = 'keep', budgeter = uniform, base } = this.#options;
    if (this.#compressed && onNewTurn === 'keep') return;
    if (this.#compressed && onNewTurn === 'refuse') {
      throw new LociError(
        'bad-option',
        `--keep ${base.spec} has kept what the first prompt needed: open a session for the next`,
      );
    }
    const budget = slotsOf(wanted, length);
    if (budget >= length) return;
    const recent = typeof this.#options.recent === 'number' ? this.#options.recent : this.#options.recent(budget);
    const fixed = recent + sinks;
    const { layers, kvHeads } = this.#host.arch;
    const used = (layer: number, head: number) => cache.usedOf(layer, head);
    const scores: Float32Array[][] = [];
    for (const layer of layers.keys()) {
      const candidates = Array.from({ length: kvHeads }, (_, head) => Math.max(0, used(layer, head) - recent));
      const all = await this.#scorer.scores(cache, layer, candidates);
      const open = all.map((heads, head) => heads.subarray(sinks, candidates[head]));
      if (!open.every((heads) => heads.every(Number.isFinite))) {
        throw new LociError('bad-numbers', `--keep ${base.spec}: scores of layer ${layer} are not numbers`);
      }
      scores.push(open);
    }
    const counts = budgeter(scores, Math.max(0, budget - fixed), fixed);
    const kept = scores.map((heads, layer) =>
      heads.map((open, head): Kept => {
        const chosen = highest(open, counts[layer]?.[head] ?? 0);
        const first = Math.min(sinks, used(layer, head));
        const last = Math.min(recent, used(layer, head) - first);
        const slots = new Int32Array(first + chosen.length + last);
        for (let i = 0; i < first; i++) slots[i] = i;
        for (const [i, slot] of chosen.entries()) slots[first + i] = slot + sinks;
        for (let i = 0; i < last; i++) slots[first + chosen.length + i] = used(layer, head) - last + i;
        return { slots };
      }),
    );
    await retain(kept);
    this.#compressed = true;
  }

  save(): unknown {
    return { compressed: this.#compressed };
  }

  restore(state: unknown): void {
    if (typeof state !== 'object' || state === null || !('compressed' in state)) throw new RangeError('not its state');
    this.#compressed = state.compressed === true;
  }

  fork(): Keeper {
    const fork = new ScoredKeeper(this.#host, this.#options);
    fork.#compressed = this.#compressed;
    return fork;
  }

  close(): void {
    this.#scorer.close?.();
  }
}
