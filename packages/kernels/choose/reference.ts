import { type Choice, farthest } from './index.ts';

/** The chosen column of a row by sorting all of them; −1 where it holds a NaN or nothing above −∞. */
export function chooseReference(row: ArrayLike<number>, choice: Choice): number {
  const { temperature, minP, topK, topP, draw } = choice;
  const logits = adjusted(row, choice);
  const top = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  if (logits.some(Number.isNaN) || top === Number.NEGATIVE_INFINITY) return -1;
  const best = logits.indexOf(top);
  if (temperature === 0 || top === Number.POSITIVE_INFINITY) return best;
  const least = top - Math.min(farthest, -Math.log(minP)) * temperature;
  const sorted = Array.from(logits, (logit, id) => ({ id, logit, weight: Math.exp((logit - top) / temperature) }))
    .filter(({ logit }) => logit >= least)
    .sort((a, b) => b.logit - a.logit || a.id - b.id);
  const few = fewest(topK > 0 ? sorted.slice(0, topK) : sorted, topP);
  return fewest(few, draw / 2 ** 32).at(-1)?.id ?? best;
}

function adjusted(row: ArrayLike<number>, { adjustments }: Choice): Float64Array {
  // Logits are float32: what overflows there does so here.
  const logits = Float32Array.from(row);
  for (const { id, penalty, shift } of adjustments) {
    const logit = logits[id] ?? 0;
    logits[id] = Math.fround(logit > 0 ? logit / penalty : logit * penalty) + shift;
  }
  return Float64Array.from(logits);
}

/** The first of them, at least one, that hold this share of the weight. */
function fewest<T extends { readonly weight: number }>(sorted: readonly T[], share: number): readonly T[] {
  const needed = sorted.reduce((sum, { weight }) => sum + weight, 0) * share;
  let reached = 0;
  const end = sorted.findIndex(({ weight }) => {
    reached += weight;
    return reached >= needed;
  });
  return end < 0 ? sorted : sorted.slice(0, end + 1);
}
