/**
 * The share of the accepted texts that occur in an answer, in capitals or not: RULER (Hsieh et al. 2024),
 * `string_match_all`. NaN when nothing is accepted, since such a case has no recall.
 */
export function recall(answer: string, accepted: readonly string[]): number {
  const said = answer.toLowerCase();
  return accepted.filter((text) => said.includes(text.toLowerCase())).length / accepted.length;
}

/** Whether an answer begins with the right one, token by token. What comes after it does not count. */
export function exactMatch(ids: ArrayLike<number>, right: ArrayLike<number>): boolean {
  return ids.length >= right.length && Array.from(right).every((token, i) => ids[i] === token);
}
