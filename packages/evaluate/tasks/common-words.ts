import { LociError } from 'loci';
import { Random } from '../random.ts';
import { haystackOf, type TextName } from './haystack.ts';
import { filledCase } from './prompt.ts';
import { type CaseOptions, caseId, type Task } from './task.ts';

export interface CommonWordsOptions extends CaseOptions {
  /** How often each of the ten common words stands in the list; 30 by default, 6 for lengths below 4096. */
  readonly common?: number;
  /** How often each of the others does; 3 by default, 1 for lengths below 4096. */
  readonly uncommon?: number;
}

const asked = 10;
const instruction =
  'Below is a numbered list of words. In these words, some appear more often than others. ' +
  'Memorize the ones that appear most often.\n';
const question = '\nQuestion: What are the 10 most common words in the above list?';
const opening = 'Answer: The top 10 words that appear most often in the list are:';

/**
 * Which words of a list are the most common: RULER (Hsieh et al. 2024), common words extraction, with its worked example
 * in front. The words are a book's, and none is part of another, so that an answer is right only with the word itself.
 */
export const commonWords: Task<CommonWordsOptions> = (model, options, number) => {
  const short = options.length < 4096;
  const { common = short ? 6 : 30, uncommon = short ? 1 : 3 } = options;
  if (!(Number.isInteger(uncommon) && Number.isInteger(common) && uncommon >= 1 && common > uncommon)) {
    const rule = 'whole numbers, the first the larger';
    throw new LociError('bad-option', `common is ${common} and uncommon ${uncommon}; they must be ${rule}`);
  }
  const id = caseId('common-words', { ...options, common, uncommon }, number);
  const random = new Random(id);
  const words = random.shuffled(wordsOf('moby-dick'));
  const right = apart(words, asked);
  const others = words.filter((word) => !right.some((other) => word.includes(other)));
  const sample = short ? { others: 10, often: 3, seldom: 1 } : { others: 30, often: 10, seldom: 3 };
  const shown = others.splice(0, asked);
  const example =
    `${instruction}${list(shown, sample.often, others.splice(0, sample.others), sample.seldom, random)}${question} ` +
    `${opening}${answerOf(shown)}\n`;
  return filledCase(
    model,
    id,
    options.length,
    (count) => ({
      instruction: example + instruction,
      document: [list(right, common, others.slice(0, count), uncommon, new Random(`${id} order`))],
      question,
      opening,
      answer: answerOf(right),
      accepted: right,
    }),
    { most: others.length },
  );
};

/** The first words of which none is part of another. */
function apart(words: readonly string[], count: number): readonly string[] {
  const found: string[] = [];
  for (const word of words) {
    if (found.length === count) break;
    if (!found.some((other) => word.includes(other) || other.includes(word))) found.push(word);
  }
  return found;
}

/** `1. whale 2. ship …` */
function list(
  common: readonly string[],
  often: number,
  others: readonly string[],
  seldom: number,
  random: Random,
): string {
  const repeat = (words: readonly string[], times: number) => Array.from({ length: times }, () => words).flat();
  const all = random.shuffled([...repeat(common, often), ...repeat(others, seldom)]);
  return numbered(all);
}

function numbered(words: readonly string[]): string {
  return words.map((word, i) => `${i + 1}. ${word}`).join(' ');
}

function answerOf(words: readonly string[]): string {
  return ` ${numbered(words)}`;
}

const known = new Map<TextName, readonly string[]>();

/** Words of four to nine letters that a text has in lower case more than once, in order of the alphabet. */
function wordsOf(text: TextName): readonly string[] {
  const before = known.get(text);
  if (before) return before;
  const counts = new Map<string, number>();
  for (const sentence of haystackOf(text).sentences) {
    for (const [word] of sentence.matchAll(/(?<![\p{L}'’-])[a-z]{4,9}(?![\p{L}'’-])/gu)) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  const found = [...counts].filter(([, count]) => count > 1).map(([word]) => word);
  const words = found.sort((a, b) => (a < b ? -1 : 1));
  known.set(text, words);
  return words;
}
