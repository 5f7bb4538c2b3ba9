import { blockSearch, type Representative } from '@loci/kernels';

/** The sum of exp(score − top) over some positions: their mass in a softmax, up to a factor. */
function mass(scores: ArrayLike<number>, positions: readonly number[], top: number): number {
  return positions.reduce((sum, at) => sum + Math.exp((scores[at] ?? Number.NEGATIVE_INFINITY) - top), 0);
}

/** The share of the softmax mass of the `positions.length` best positions that the given ones have. */
export function massRatio(scores: ArrayLike<number>, positions: readonly number[]): number {
  const best = Float64Array.from(scores).sort().subarray(-positions.length);
  const top = best.at(-1) ?? 0;
  const most = best.reduce((sum, score) => sum + Math.exp(score - top), 0);
  return mass(scores, positions, top) / most;
}

/** Positions that the search ends at, in blocks of `block` keys that each stand by all of their scores. */
export function searched(
  scores: ArrayLike<number>,
  k: number,
  { block = 1, stride = 1, representative = 'centre' as Representative } = {},
): number[] {
  const score = (index: number) => {
    let most = Number.NEGATIVE_INFINITY;
    for (let at = index * block; at < (index + 1) * block; at += stride) most = Math.max(most, scores[at] ?? most);
    return most;
  };
  const blocks = blockSearch([0, Math.ceil(scores.length / block)], k / block, representative, score);
  const positions = blocks.flatMap((index) => Array.from({ length: block }, (_, u) => index * block + u));
  return positions.filter((at) => at < scores.length);
}
