/**
 * The tokens [steps][n] that a program takes which chooses by `choose`, until its steps are done or all tokens of a step are
 * among the ends.
 */
export function repeatReference(
  first: readonly number[],
  steps: number,
  ends: readonly number[],
  choose: (id: number, step: number) => number,
): readonly (readonly number[])[] {
  const taken: (readonly number[])[] = [];
  let ids = first;
  while (taken.length < steps) {
    ids = ids.map((id) => choose(id, taken.length));
    taken.push(ids);
    if (ids.every((id) => ends.includes(id))) break;
  }
  return taken;
}
