import type { Host, Keep } from 'loci';
import { z } from 'zod';
import { type Scorer, scoredKeep } from '../keeping/scored.ts';
import { Votes } from '../keeping/votes.ts';
import { define } from '../methods/define.ts';
import { budget } from '../methods/option.ts';

/**
 * TOVA (Oren et al. 2024, arXiv 2401.06104): what the last token looks at, on average over all heads of a layer, which
 * keep the same slots. As in kvpress the last token stays in any case, and the prompt is compressed once, at its end, where
 * the paper drops one token for every one that is generated.
 */
export const tova = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'tova',
  summary: 'what the last token of the prompt looks at',
  options: z.object(options()),
  create: ({ budget }, base) =>
    scoredKeep({ base, budget, recent: 1, lastRows: 1, scorer: (host) => new LastVote(host) }),
});

function options() {
  return { budget: budget(1024, 'slots per head, or a share of the prompt as 25%') };
}

class LastVote implements Scorer {
  readonly #votes: Votes;
  readonly #heads: number;

  constructor(host: Host) {
    this.#votes = new Votes(host);
    this.#heads = host.arch.heads;
  }

  attended: NonNullable<Scorer['attended']> = (encoder, view) => {
    if (view.moment === 'prompt end') this.#votes.record(encoder, view, 1);
  };

  scores(_: unknown, layer: number, candidates: readonly number[]): readonly Float32Array[] {
    return candidates.map((slots) => this.#votes.mean(layer, { first: 0, count: this.#heads }, slots));
  }

  close(): void {
    this.#votes.close();
  }
}
