import { Random } from '../random.ts';
import { drawAbsent, requireAbsent } from './absent.ts';
import {
  type Depth,
  drawDepth,
  type Haystack,
  type HaystackName,
  haystackOf,
  passage,
  plant,
  startIn,
} from './haystack.ts';
import { type Marked, mark } from './marked.ts';
import { filledCase } from './prompt.ts';
import { type CaseOptions, caseId, type Task } from './task.ts';
import { wordKey } from './words.ts';

export type NeedleForm = 'words' | 'numbers' | 'uuids';

export interface NeedleOptions extends CaseOptions {
  /** Text to hide the needle in. */
  readonly haystack?: HaystackName | Haystack;
  /** What is asked for: a word such as `brisk-otter`, a number or a UUID. */
  readonly key?: NeedleForm;
  /** What is hidden: seven digits, a word or a UUID. */
  readonly value?: NeedleForm;
  readonly depth?: Depth;
}

/**
 * One statement hidden in a text, with a key that is asked for and a value that is not guessable: RULER (Hsieh et al.
 * 2024), niah_single: 1 is `haystack: 'noise'`, 2 the default with a book for its essays, 3 `value: 'uuids'`. The keys'
 * words are from a list of ours, and the length leaves out the room for the answer.
 */
export const needle: Task<NeedleOptions> = (model, options, number) => {
  const { haystack: source = 'moby-dick', key: keyForm = 'words', value: valueForm = 'numbers', depth } = options;
  const haystack = haystackOf(source);
  const id = caseId('needle', { ...options, haystack: haystack.name, key: keyForm, value: valueForm }, number);
  const random = new Random(id);
  const { key, value } = drawNeedles(random, haystack, keyForm, valueForm, 1)[0] ?? { key: '', value: '' };
  const start = startIn(haystack, random);
  const at = drawDepth(random, depth);
  return filledCase(model, id, options.length, (words) => ({
    ...needleWording(valueForm, key, value),
    document: plant(
      passage(haystack, start, words),
      [{ depth: at, text: needleText('needle', valueForm, key, value) }],
      haystack.between,
    ),
  }));
};

export interface Needle {
  readonly key: string;
  readonly value: string;
}

/** Keys and values that differ and that the haystack does not have. */
export function drawNeedles(
  random: Random,
  haystack: Haystack,
  keyForm: NeedleForm,
  valueForm: NeedleForm,
  count: number,
): readonly Needle[] {
  requireAbsent(haystack, ['special magic']);
  const keys = drawAbsent(haystack, count, () => draw(random, keyForm));
  const values = drawAbsent(haystack, count, () => draw(random, valueForm));
  return keys.map((key, i) => ({ key, value: values[i] ?? '' }));
}

function draw(random: Random, form: NeedleForm): string {
  if (form === 'words') return wordKey(random);
  return form === 'uuids' ? random.uuid() : String(random.integer(1_000_000, 9_999_999));
}

/** RULER's needle. */
export function needleText(kind: 'needle' | 'distractor', form: NeedleForm, key: string, value: string): Marked {
  const start = `One of the special magic ${form} for ${key} is: `;
  return mark(kind, start, kind === 'needle' ? mark('value', value) : value, '.');
}

/** RULER's instruction, question and opening for a single value. */
export function needleWording(form: NeedleForm, key: string, value: string) {
  const thing = form.slice(0, -1);
  const asked = `the special magic ${thing} for ${key} mentioned in the provided text`;
  return {
    instruction:
      `A special magic ${thing} is hidden within the following text. Make sure to memorize it. ` +
      `I will quiz you about the ${thing} afterwards.\n`,
    question: `\nWhat is ${asked}?`,
    opening: `T${asked.slice(1)} is`,
    answer: ` ${value}`,
    accepted: [value],
  };
}
