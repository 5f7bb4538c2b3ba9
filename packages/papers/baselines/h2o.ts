import type { Host, Keep, Ran } from 'loci';
import { z } from 'zod';
import { type Scorer, scoredKeep } from '../keeping/scored.ts';
import { Votes } from '../keeping/votes.ts';
import { define } from '../methods/define.ts';
import { budget, slotsOf } from '../methods/option.ts';

/**
 * H2O (Zhang et al. 2023, arXiv 2306.14048): "heavy hitters", which have gathered the most attention from all queries of the
 * prompt, and the last tokens. The prompt is compressed once, at its end; what is generated stays, where the paper drops a
 * token for every one that it generates.
 */
export const h2o = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'h2o',
  summary: 'what all queries of the prompt together look at most, and the last tokens',
  options: z.object(options()),
  create: ({ budget, recent }, base) =>
    scoredKeep({
      ...{ base, budget, recent: (slots) => Math.min(slots, slotsOf(recent, slots)) },
      // Every query votes, so that no prompt begins behind what is known of another one.
      lastRows: Number.MAX_SAFE_INTEGER,
      scorer: (host) => new AllVotes(host),
    }),
});

function options() {
  return {
    budget: budget(1024, 'slots per head, or a share of the prompt as 25%'),
    recent: budget('50%', 'how many of them are the last tokens, or their share as 50%'),
  };
}

class AllVotes implements Scorer {
  readonly #host: Host;
  readonly #votes: Votes;
  /** Of the programs before this one: [layer][query head]. */
  #sums: Float32Array[][] = [];

  constructor(host: Host) {
    this.#host = host;
    this.#votes = new Votes(host);
  }

  begin(): void {
    this.#sums = [];
  }

  attended: NonNullable<Scorer['attended']> = (encoder, view) => {
    if (view.moment !== 'decode') this.#votes.record(encoder, view, view.n);
  };

  ran({ moment, position, n }: Ran): void {
    if (moment === 'decode') return;
    const { heads, layers } = this.#host.arch;
    this.#sums = layers.map((_, layer) =>
      Array.from({ length: heads }, (_, head) => {
        const votes = this.#votes.of(layer, head, position + n);
        const before = this.#sums[layer]?.[head] ?? new Float32Array();
        for (const [slot, sum] of before.entries()) votes[slot] = (votes[slot] ?? 0) + sum;
        return votes;
      }),
    );
  }

  scores(_: unknown, layer: number, candidates: readonly number[]): readonly Float32Array[] {
    const group = this.#host.arch.heads / this.#host.arch.kvHeads;
    return candidates.map((slots, kvHead) => {
      const sum = new Float32Array(slots);
      for (const votes of this.#sums[layer]?.slice(kvHead * group, (kvHead + 1) * group) ?? []) {
        for (let i = 0; i < slots; i++) sum[i] = (sum[i] ?? 0) + (votes[i] ?? 0);
      }
      return sum;
    });
  }

  close(): void {
    this.#votes.close();
  }
}
