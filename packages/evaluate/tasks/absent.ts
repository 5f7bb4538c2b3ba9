import { LociError } from 'loci';
import type { Haystack } from './haystack.ts';

/** Whether a text has a phrase, in capitals or not. */
function has(haystack: Haystack, phrase: string): boolean {
  const wanted = phrase.toLowerCase();
  return haystack.sentences.some((sentence) => sentence.toLowerCase().includes(wanted));
}

/**
 * A needle whose words stand in the haystack anyway would be found without being read.
 * @throws LociError `bad-option` that names the phrase and the text.
 */
export function requireAbsent(haystack: Haystack, phrases: readonly string[]): void {
  for (const phrase of phrases) {
    if (!has(haystack, phrase)) continue;
    const where = `the text "${haystack.name}" has the words "${phrase}" itself`;
    throw new LociError('bad-option', `${where}: nothing can be hidden in it under these words; choose another text`);
  }
}

/** Draws so many different things that the haystack does not have. */
export function drawAbsent(haystack: Haystack, count: number, draw: () => string): readonly string[] {
  const drawn = new Set<string>();
  for (let tries = 0; drawn.size < count; tries++) {
    if (tries > count * 100) throw new LociError('bad-option', `there are no ${count} different keys for this task`);
    const next = draw();
    if (!has(haystack, next)) drawn.add(next);
  }
  return [...drawn];
}
