import { readFileSync } from 'node:fs';
import { LociError } from 'loci';
import type { Random } from '../random.ts';
import { join, type Marked } from './marked.ts';

/** A text to hide things in. */
export interface Haystack {
  readonly name: string;
  readonly sentences: readonly string[];
  /** What stands between two sentences. */
  readonly between: string;
}

export const texts = ['moby-dick', 'frankenstein', 'state-of-the-union-1904', 'dracula'] as const;
export type TextName = (typeof texts)[number];
/** The texts in data/ by name, and `noise`: five short sentences, a line for each repetition. */
export type HaystackName = TextName | 'noise';

/** Mohtashami and Jaggi 2023, "Landmark Attention": the filler of the pass key, also RULER's noise. */
const noise: Haystack = {
  name: 'noise',
  sentences: ['The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.'],
  between: '\n',
};

const opened = new Map<TextName, Haystack>();

/** A bundled text by its name, or a text of the caller's. @throws LociError `bad-option` for a name that is none. */
export function haystackOf(source: HaystackName | Haystack): Haystack {
  if (typeof source === 'object') return source;
  if (source === 'noise') return noise;
  const known = opened.get(source);
  if (known) return known;
  if (!texts.includes(source)) {
    throw new LociError('bad-option', `there is no text "${source}"; there are ${texts.join(', ')} and noise`);
  }
  const text = readFileSync(new URL(`../../../data/${source}.txt`, import.meta.url), 'utf8');
  const haystack = { name: source, sentences: sentences(text), between: ' ' };
  opened.set(source, haystack);
  return haystack;
}

const abbreviation = /(^|[^\p{L}])(Mr|Mrs|Messrs|Dr|St|Capt|No|Gen|Hon|\p{Lu})\.["'”’)\]]*$/u;
const sentenceEnd = /(?<=[.!?]["'”’)\]]*)\s+(?=["'“‘([]*[\p{Lu}\d])/u;

/**
 * The sentences of a text without its line breaks, which say how wide a page was and not where a thought ends. By a rule
 * of ours: what Unicode libraries call a sentence changes with their versions.
 */
export function sentences(text: string): readonly string[] {
  const found: string[] = [];
  let open = '';
  for (const piece of text.trim().replace(/\s+/g, ' ').split(sentenceEnd)) {
    open += open === '' ? piece : ` ${piece}`;
    // An abbreviation ends no sentence.
    if (abbreviation.test(open)) continue;
    found.push(open);
    open = '';
  }
  if (open !== '') found.push(open);
  return found;
}

/** So many words from a sentence on; the last sentence is cut where they end, and after the text comes its beginning. */
export function passage({ sentences }: Haystack, start: number, words: number): readonly string[] {
  const found: string[] = [];
  for (let at = start, left = words; left > 0; at++) {
    const all = (sentences[at % sentences.length] ?? '').split(' ');
    found.push(all.slice(0, left).join(' '));
    left -= all.length;
  }
  return found;
}

/** The sentence with which a case begins. */
export function startIn({ sentences }: Haystack, random: Random): number {
  return random.integer(0, sentences.length - 1);
}

/**
 * A sentence with at least so many words from it to the end of the text.
 * @throws LociError `bad-option` when the text has too few.
 */
export function startBefore({ name, sentences }: Haystack, random: Random, words: number): number {
  let last = sentences.length;
  let left = 0;
  while (last > 0 && left < words) left += (sentences[--last] ?? '').split(' ').length;
  if (left < words) {
    throw new LociError('bad-option', `the text "${name}" has ${left} words, too few for a length of ${words} tokens`);
  }
  return random.integer(0, last);
}

export interface Planted {
  /** Share of the text that stands before it, from 0 to 1. */
  readonly depth: number;
  readonly text: Marked;
}

/** The sentences as one text with other statements between them, each where its depth is nearest. */
export function plant(sentences: readonly string[], planted: readonly Planted[], between: string): Marked[] {
  // ends[i] is the length of the first i sentences. RULER counts sentences instead, so that depths are less exact.
  const ends = [0];
  for (const [i, sentence] of sentences.entries()) ends.push((ends[i] ?? 0) + sentence.length);
  const whole = ends.at(-1) ?? 0;
  const items: Marked[] = [];
  let done = 0;
  for (const { depth, text } of planted.toSorted((a, b) => a.depth - b.depth)) {
    const distance = (at: number) => Math.abs((ends[at] ?? Number.POSITIVE_INFINITY) - depth * whole);
    let at = done;
    while (distance(at + 1) <= distance(at)) at++;
    items.push(...sentences.slice(done, at), text);
    done = at;
  }
  return join([...items, ...sentences.slice(done)], between);
}

/** Where a needle lies: everywhere between two depths, at one of them, or by default as in RULER. */
export type Depth = number | readonly [least: number, most: number];

/** RULER's depths: 40 from 0 to 1. */
const depths = Array.from({ length: 40 }, (_, i) => Math.round((i * 100) / 39) / 100);

/** @throws LociError `bad-option` for a depth outside [0, 1]. */
export function drawDepth(random: Random, depth: Depth | undefined): number {
  if (depth === undefined) return random.pick(depths);
  const [least, most] = typeof depth === 'number' ? [depth, depth] : depth;
  if (!(0 <= least && least <= most && most <= 1)) {
    throw new LociError('bad-option', `depth is ${depth}; it must be one number, or two that rise, from 0 to 1`);
  }
  return least + random.real() * (most - least);
}

/** Different depths of RULER's, without one. */
export function drawOtherDepths(random: Random, count: number, taken: number): readonly number[] {
  return random.shuffled(depths.filter((depth) => depth !== taken)).slice(0, count);
}
