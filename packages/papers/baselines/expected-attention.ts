import type { Host, Keep, KvCache, Ran } from 'loci';
import { z } from 'zod';
import { dot, norms } from '../keeping/dot.ts';
import { readSlots, type SlotRows, slotRange } from '../keeping/rows.ts';
import { type Scorer, scoredKeep } from '../keeping/scored.ts';
import { define } from '../methods/define.ts';
import { budget, whole } from '../methods/option.ts';
import { QueryStatistics, type Turn } from './query-statistics.ts';

/**
 * Expected attention (Devoto et al. 2025, arXiv 2510.00636, and kvpress's `ExpectedAttentionPress`): queries that are to come
 * are taken to be distributed as those of the prompt, normally, and turned to the positions behind it. A slot scores
 * E[exp(q·k)] over the sum of these, averaged over the query heads that share it, times the length of its value.
 */
export const expectedAttention = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'expected-attention',
  summary: 'what queries to come will look at, if they are like those of the prompt',
  options: z.object(options()),
  create: ({ budget, sinks, recent, positions }, base) =>
    scoredKeep({
      ...{ base, budget, sinks, recent },
      // All queries count, so that no prompt begins behind what is known of another one.
      lastRows: Number.MAX_SAFE_INTEGER,
      scorer: (host) => new Expected(host, sinks, positions),
    }),
});

function options() {
  return {
    budget: budget(1024, 'slots per head, or a share of the prompt as 25%'),
    sinks: whole(0, 1_000_000, 4, 'tokens at the beginning that stay, and whose queries do not count'),
    recent: whole(0, 1_000_000, 0, 'tokens at the end that stay in any case'),
    positions: whole(1, 1_000_000, 512, 'positions behind the prompt that are expected'),
  };
}

class Expected implements Scorer {
  readonly #host: Host;
  readonly #sinks: number;
  readonly #positions: number;
  readonly #queries: QueryStatistics;
  #length = 0;

  constructor(host: Host, sinks: number, positions: number) {
    this.#host = host;
    this.#sinks = sinks;
    this.#positions = positions;
    this.#queries = new QueryStatistics(host, sinks);
  }

  begin(): void {
    this.#queries.begin();
  }

  attended: NonNullable<Scorer['attended']> = (encoder, view) => {
    if (view.moment !== 'decode') this.#queries.record(encoder, view);
  };

  ran({ moment, position, n }: Ran): void {
    if (moment === 'decode') return;
    this.#queries.add(position, n);
    this.#length = position + n;
  }

  async scores(cache: KvCache, layer: number, candidates: readonly number[]): Promise<readonly Float32Array[]> {
    const lists = candidates.map((slots) => slotRange(this.#sinks, slots));
    const heads = await readSlots(this.#host, cache, layer, lists);
    const turn = this.#queries.turnAhead(layer, this.#length, this.#positions);
    return heads.map((rows, kvHead) => {
      const scores = new Float32Array(Math.max(this.#sinks, candidates[kvHead] ?? 0));
      scores.set(this.#expected(rows, layer, kvHead, turn), this.#sinks);
      return scores;
    });
  }

  /** Scores of a head's slots behind the sinks. */
  #expected({ keys, values }: SlotRows, layer: number, kvHead: number, turn: Turn): Float32Array {
    const { heads, kvHeads, headSize: d, attentionScale } = this.#host.arch;
    const group = heads / kvHeads;
    const lengths = norms(values, d);
    const scores = new Float32Array(lengths.length);
    for (let r = 0; r < group; r++) {
      const { mean, covariance } = this.#queries.turned(layer, kvHead * group + r, turn);
      const exponents = Float64Array.from(scores, (_, slot) => {
        const key = keys.subarray(slot * d, (slot + 1) * d);
        return attentionScale * dot(mean, key) + (attentionScale ** 2 * quadratic(covariance, key)) / 2;
      });
      const top = exponents.reduce((most, exponent) => Math.max(most, exponent), Number.NEGATIVE_INFINITY);
      const weights = exponents.map((exponent) => Math.exp(exponent - top));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [slot, weight] of weights.entries()) scores[slot] = (scores[slot] ?? 0) + weight / total / group;
    }
    return scores.map((score, slot) => score * (lengths[slot] ?? 0));
  }

  close(): void {
    this.#queries.close();
  }
}

/** xᵀ A x for a symmetric A [d, d]. */
function quadratic(a: Float64Array, x: Float32Array): number {
  const d = x.length;
  let sum = 0;
  for (let i = 0; i < d; i++) {
    let row = ((a[i * d + i] ?? 0) * (x[i] ?? 0)) / 2;
    for (let j = 0; j < i; j++) row += (a[i * d + j] ?? 0) * (x[j] ?? 0);
    sum += 2 * (x[i] ?? 0) * row;
  }
  return sum;
}
