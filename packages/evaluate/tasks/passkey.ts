import { LociError } from 'loci';
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
import { mark } from './marked.ts';
import { filledCase } from './prompt.ts';
import { type CaseOptions, caseId, type Task } from './task.ts';

export interface PasskeyOptions extends CaseOptions {
  /** `noise` by default. */
  readonly haystack?: HaystackName | Haystack;
  /** Digits of the pass key; 5 by default. */
  readonly digits?: number;
  readonly depth?: Depth;
}

/**
 * A number said twice in an otherwise pointless text: Mohtashami and Jaggi 2023, "Landmark Attention", section 4.2. There it
 * has one to five digits; here always as many, so that no case is easier than another.
 */
export const passkey: Task<PasskeyOptions> = (model, options, number) => {
  const { digits = 5 } = options;
  if (!Number.isInteger(digits) || digits < 1 || digits > 9) {
    throw new LociError('bad-option', `digits is ${digits}; it must be a whole number from 1 to 9`);
  }
  const haystack = haystackOf(options.haystack ?? 'noise');
  const id = caseId('passkey', { ...options, haystack: haystack.name, digits }, number);
  const random = new Random(id);
  requireAbsent(haystack, ['pass key']);
  const draw = () => String(random.integer(10 ** (digits - 1), 10 ** digits - 1));
  const [value = ''] = drawAbsent(haystack, 1, draw);
  const start = startIn(haystack, random);
  const depth = drawDepth(random, options.depth);
  const key = mark('value', value);
  const text = mark('needle', 'The pass key is ', key, '. Remember it. ', key, ' is the pass key.');
  return filledCase(model, id, options.length, (words) => ({
    instruction:
      'There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. ' +
      'I will quiz you about the important information there.\n',
    document: plant(passage(haystack, start, words), [{ depth, text }], haystack.between),
    question: '\nWhat is the pass key?',
    opening: 'The pass key is',
    answer: ` ${value}`,
    accepted: [value],
  }));
};
