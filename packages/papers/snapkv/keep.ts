import type { Host, Keep } from 'loci';
import { LociError } from 'loci';
import { z } from 'zod';
import { type Budgeter, budgeterNames, budgeters } from '../keeping/budgets.ts';
import { type Scorer, scoredKeep } from '../keeping/scored.ts';
import { pooled } from '../keeping/select.ts';
import { Votes } from '../keeping/votes.ts';
import { define } from '../methods/define.ts';
import { budget, choice, number, whole } from '../methods/option.ts';

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
  create: ({ budgets, floor, ...options }, base) => windowKeep(base, options, budgeters[budgets](floor)),
});

function options() {
  return {
    ...windowOptions(),
    budgets: choice(budgeterNames, 'even', 'how heads share the budget'),
    floor: number(0, 1, 0.2, 'share of an even budget that every head is sure of, where they compete'),
    'new-turn': choice(['keep', 'recompress', 'refuse'], 'keep', 'what a second prompt of a session does'),
  };
}

/** Options of every method that goes by the votes of a window. */
export function windowOptions() {
  return {
    budget: budget(1024, 'slots per head, the window included, or a share of the prompt as 25%'),
    window: whole(1, 512, 32, 'queries at the end of the prompt that vote'),
    kernel: whole(1, 255, 7, 'tokens that are pooled; odd'),
    pooling: choice(['max', 'avg'], 'max', 'how they are pooled'),
  };
}

type WindowOptions = z.output<z.ZodObject<ReturnType<typeof windowOptions>>> & {
  readonly 'new-turn'?: 'keep' | 'recompress' | 'refuse';
};

/** SnapKV under a name, with a rule of its own for the budgets of heads. @throws LociError `bad-option` */
export function windowKeep(
  base: Pick<Keep, 'axis' | 'name' | 'spec'>,
  { budget, window, kernel, pooling, 'new-turn': onNewTurn = 'keep' }: WindowOptions,
  budgeter: Budgeter,
): Keep {
  if (kernel % 2 === 0) throw new LociError('bad-option', `--keep ${base.name}: kernel is ${kernel}; it must be odd`);
  if (!budget.endsWith('%') && Number(budget) <= window) {
    const range = `it must be less than the budget of ${budget}`;
    throw new LociError('bad-option', `--keep ${base.name}: window is ${window}; ${range}`);
  }
  return scoredKeep({
    ...{ base, budget, onNewTurn, recent: window, lastRows: window, budgeter },
    scorer: (host) => new WindowVotes(host, window, kernel, pooling),
  });
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

  scores(_: unknown, layer: number, candidates: readonly number[]): readonly Float32Array[] {
    return candidates.map((slots, kvHead) => {
      const heads = { first: kvHead * this.#group, count: this.#group };
      return this.#votes.mean(layer, heads, slots, (votes) => pooled(votes, slots, this.#kernel, this.#pooling));
    });
  }

  close(): void {
    this.#votes.close();
  }
}
