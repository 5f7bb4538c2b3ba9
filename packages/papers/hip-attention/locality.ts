import { mean } from '@loci/evaluate';
import { Random } from '@loci/evaluate/random';
import type { Representative } from '@loci/kernels';
import { massRatio, searched } from './mass.ts';

/** Keys whose neighbours are alike: in every channel an autoregression of order 1 with unit variance, and white noise. */
export interface Locality {
  /** Correlation of neighbours; 0 for keys that have nothing to do with one another. */
  readonly rho: number;
  readonly noise: number;
}

const [count, d, queries] = [8192, 64, 20];

/** How well the search does over such keys: mean ratios of 20 queries to the true best. */
export function localityRatios({ rho, noise }: Locality): Readonly<Record<Representative | 'random', number>> {
  const random = new Random(`locality ${rho} ${noise}`);
  const keys = new Float64Array(count * d);
  for (let c = 0; c < d; c++) {
    let state = random.normal();
    for (let i = 0; i < count; i++) {
      keys[i * d + c] = state + noise * random.normal();
      state = rho * state + Math.sqrt(1 - rho * rho) * random.normal();
    }
  }
  const k = count / 16;
  const found = Array.from({ length: queries }, () => {
    const query = Float64Array.from({ length: d }, () => 1.5 * random.normal());
    const scores = Float64Array.from({ length: count }, (_, i) => {
      let sum = 0;
      for (let c = 0; c < d; c++) sum += (query[c] ?? 0) * (keys[i * d + c] ?? 0);
      return sum / 8;
    });
    const ratio = (representative: Representative) => massRatio(scores, searched(scores, k, { representative }));
    const drawn = random.shuffled(Array.from({ length: count }, (_, i) => i)).slice(0, k);
    return { first: ratio('first'), centre: ratio('centre'), last: ratio('last'), random: massRatio(scores, drawn) };
  });
  const meanOf = (name: Representative | 'random') => mean(found.map((one) => one[name]));
  return { first: meanOf('first'), centre: meanOf('centre'), last: meanOf('last'), random: meanOf('random') };
}
