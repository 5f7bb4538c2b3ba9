import type { Host, Keep } from 'loci';
import { LociError } from 'loci';
import { z } from 'zod';
import { budgeterNames, budgeters } from '../keeping/budgets.ts';
import { type Scorer, scoredKeep } from '../keeping/scored.ts';
import { pooled } from '../keeping/select.ts';
import { Votes } from '../keeping/votes.ts';
import { define } from '../methods/define.ts';
import { budget, choice, whole } from '../methods/option.ts';

/**
 * SnapKV (Li et al. 2024, arXiv 2404.14469): the queries of a window at the prompt's end vote, by their attention, for the
 * prompt's tokens; votes are pooled, so that neighbours of a chosen token come along, and averaged over the query heads
 * that share a key/value head. The window itself always stays.
 */
export const snapkv = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'snapkv',
  summary: 'what the last queries of the prompt look at',
  options: z.object(options()),
  create({ budget, window, kernel, pooling, budgets, 'new-turn': onNewTurn }, base) {
    if (kernel % 2 === 0) throw new LociError('bad-option', `--keep snapkv: kernel is ${kernel}; it must be odd`);
    if (!budget.endsWith('%') && Number(budget) <= window) {
      throw new LociError(
        'bad-option',
        `--keep snapkv: window is ${window}; it must be less than the budget of ${budget}`,
      );
    }
    return scoredKeep({
      ...{ base, budget, onNewTurn, recent: window, lastRows: window, budgeter: budgeters[budgets] },
      scorer: (host) => new WindowVotes(host, window, kernel, pooling),
    });
  },
});

function options() {
  return {
    budget: budget(1024, 'slots per head, the window included, or a share of the prompt as 25%'),
    window: whole(1, 512, 32, 'queries at the end of the prompt that vote'),
    kernel: whole(1, 255, 7, 'tokens that are pooled; odd'),
    pooling: choice(['max', 'avg'], 'max', 'how they are pooled'),
    budgets: choice(budgeterNames, 'even', 'how heads share the budget'),
    'new-turn': choice(['keep', 'recompress', 'refuse'], 'keep', 'what a second prompt of a session does'),
  };
}

/** Steps 2 to 5 of the method. */
class WindowVotes implements Scorer {
  readonly #votes: Votes;
  readonly #group: number;
  readonly #window: number;
  readonly #kernel: number;
  readonly #pooling: 'max' | 'avg';

  constructor(host: Host, window: number, kernel: number, pooling: 'max' | 'avg') {
    this.#votes = new Votes(host);
    this.#group = host.arch.heads / host.arch.kvHeads;
    this.#window = window;
    this.#kernel = kernel;
    this.#pooling = pooling;
  }

  attended: NonNullable<Scorer['attended']> = (encoder, view) => {
    if (view.moment === 'prompt end') this.#votes.record(encoder, view, this.#window);
  };

  scores(_: unknown, layer: number, kvHead: number, candidates: number): Float32Array {
    const mean = new Float32Array(candidates);
    for (let r = 0; r < this.#group; r++) {
      const votes = this.#votes.of(layer, kvHead * this.#group + r, candidates);
      const smooth = pooled(votes, candidates, this.#kernel, this.#pooling);
      for (let i = 0; i < candidates; i++) mean[i] = (mean[i] ?? 0) + (smooth[i] ?? 0) / this.#group;
    }
    return mean;
  }

  close(): void {
    this.#votes.close();
  }
}
