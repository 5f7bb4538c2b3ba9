import type { Range } from '../remembering/unrotated.ts';

/**
 * The events that can be closed: the text from `start` to `end` cut before the tokens of `cuts`. What is shorter than `min`
 * goes with what follows, what is longer than `max` is split there, and the last, which nothing ends yet, stays open.
 * @param cuts ascending; those beyond `end` do not count yet.
 */
export function closeEvents(start: number, end: number, cuts: readonly number[], min: number, max: number): Range[] {
  const events: Range[] = [];
  let open = start;
  const close = (at: number) => {
    events.push({ start: open, end: at });
    open = at;
  };
  for (const cut of cuts) {
    if (cut > end) break;
    while (cut - open > max) close(open + max);
    if (cut - open >= min) close(cut);
  }
  while (end - open >= max) close(open + max);
  return events;
}
