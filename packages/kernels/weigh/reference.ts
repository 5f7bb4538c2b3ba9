import { type Seen, seenScores } from '../attend/reference.ts';

/** softmax(scale · q·k) of one query [d] over the slots, 0 for those it does not see. */
export function weighReference(query: ArrayLike<number>, position: number, seen: Seen): Float64Array {
  const scores = seenScores(query, position, seen);
  const top = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  const weights = scores.map((score) => (score === Number.NEGATIVE_INFINITY ? 0 : Math.exp(score - top)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => (total === 0 ? 0 : weight / total));
}
