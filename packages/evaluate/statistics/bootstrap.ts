import { Random } from '../random.ts';
import { mean, quantile } from './summary.ts';

export interface BootstrapOptions {
  /** Samples drawn from the sample; 2000 by default. */
  readonly resamples?: number;
  /** Share of the resamples within the interval; 0.95 by default. */
  readonly confidence?: number;
  readonly seed?: number;
}

export interface Estimate {
  /** The statistic of the sample itself. */
  readonly value: number;
  readonly standardError: number;
  /** The confidence interval: percentiles of the resamples. */
  readonly low: number;
  readonly high: number;
}

/**
 * How far a statistic of some cases would be off for other cases of the same kind: Efron 1979. For a statistic of pairs, let a
 * case be a pair. Resamples for which it is NaN do not count.
 */
export function bootstrap<T>(
  cases: readonly T[],
  statistic: (cases: readonly T[]) => number,
  { resamples = 2000, confidence = 0.95, seed = 0 }: BootstrapOptions = {},
): Estimate {
  const random = new Random(`bootstrap ${seed}`);
  const value = statistic(cases);
  const drawn = Array.from({ length: cases.length === 0 ? 0 : resamples }, () =>
    statistic(cases.map(() => random.pick(cases))),
  ).filter((resampled) => !Number.isNaN(resampled));
  const centre = mean(drawn);
  const variance = drawn.reduce((sum, resampled) => sum + (resampled - centre) ** 2, 0) / (drawn.length - 1);
  const tail = (1 - confidence) / 2;
  return {
    value,
    standardError: Math.sqrt(variance),
    low: quantile(drawn, tail),
    high: quantile(drawn, 1 - tail),
  };
}

/**
 * The mean difference a − b of two methods over the same cases. Far narrower than the two methods' own intervals, since
 * what is hard about a case is the same for both.
 * @throws RangeError for sides of different lengths.
 */
export function pairedBootstrap(a: readonly number[], b: readonly number[], options?: BootstrapOptions): Estimate {
  if (a.length !== b.length) throw new RangeError(`${a.length} values cannot be paired with ${b.length}`);
  const differences = a.map((value, i) => value - (b[i] ?? Number.NaN));
  return bootstrap(differences, mean, options);
}
