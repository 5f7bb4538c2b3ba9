import { mean } from '../statistics/index.ts';

/** Losses of a right answer whose tokens were given to the model one after the other, in nats per token. */
export interface LossSummary {
  readonly tokens: number;
  readonly mean: number;
  /**
   * The mean without the first token: what a model loses by not knowing that an answer begins here says little about
   * what it remembers. NaN for one token.
   */
  readonly meanAfterFirst: number;
}

/** @param losses Negative log-probability of each token of the answer. */
export function summarizeLosses(losses: ArrayLike<number>): LossSummary {
  const all = Array.from(losses);
  return { tokens: all.length, mean: mean(all), meanAfterFirst: mean(all.slice(1)) };
}

/** Mean losses of `bucket` tokens each, from the first on; the last bucket may have fewer. */
export function lossesByPosition(losses: ArrayLike<number>, bucket: number): readonly number[] {
  const all = Array.from(losses);
  const buckets = Math.ceil(all.length / bucket);
  return Array.from({ length: buckets }, (_, i) => mean(all.slice(i * bucket, (i + 1) * bucket)));
}

/** Mean losses of the same cases: with a method, with everything kept, and without the context. */
export interface ComparedLosses {
  readonly method: number;
  readonly dense: number;
  readonly none: number;
}

/** What a method costs: the loss with it less the loss without it, in nats per token. */
export function lossGap({ method, dense }: Pick<ComparedLosses, 'method' | 'dense'>): number {
  return method - dense;
}

/**
 * The share of what the context is worth to the answer that a method keeps:
 * 1 − (method − dense) / (none − dense). 1 is as good as dense, 0 as if there were no context, below 0 worse than that.
 * Over several cases give mean losses: a mean of single cases' gains is a mean of ratios, which one small divisor rules.
 * NaN when the context is worth nothing: then there is nothing to keep.
 */
export function needleGain({ method, dense, none }: ComparedLosses): number {
  return none > dense ? 1 - (method - dense) / (none - dense) : Number.NaN;
}
