import { LociError } from 'loci';
import { Random } from '../random.ts';
import { drawDepth, drawOtherDepths, haystackOf, passage, plant, startIn } from './haystack.ts';
import { drawNeedles, type NeedleOptions, needleText, needleWording } from './needle.ts';
import { filledCase } from './prompt.ts';
import { caseId, type Task } from './task.ts';

export interface MultikeyOptions extends NeedleOptions {
  /** Needles with other keys and values that are not asked for; 3 by default, at most 39. */
  readonly distractors?: number;
}

/** A needle among needles with other keys: RULER (Hsieh et al. 2024), niah_multikey_1, with a book for its essays. */
export const multikey: Task<MultikeyOptions> = (model, options, number) => {
  const { key: keyForm = 'words', value: valueForm = 'numbers', distractors = 3 } = options;
  if (!Number.isInteger(distractors) || distractors < 1 || distractors > 39) {
    throw new LociError('bad-option', `distractors is ${distractors}; it must be a whole number from 1 to 39`);
  }
  const haystack = haystackOf(options.haystack ?? 'moby-dick');
  const resolved = { ...options, haystack: haystack.name, key: keyForm, value: valueForm, distractors };
  const id = caseId('multikey', resolved, number);
  const random = new Random(id);
  const [asked = { key: '', value: '' }, ...others] = drawNeedles(
    random,
    haystack,
    keyForm,
    valueForm,
    1 + distractors,
  );
  const start = startIn(haystack, random);
  const depth = drawDepth(random, options.depth);
  const otherDepths = drawOtherDepths(random, distractors, depth);
  const planted = [
    { depth, text: needleText('needle', valueForm, asked.key, asked.value) },
    ...others.map(({ key, value }, i) => ({
      depth: otherDepths[i] ?? 0,
      text: needleText('distractor', valueForm, key, value),
    })),
  ];
  return filledCase(model, id, options.length, (words) => ({
    ...needleWording(valueForm, asked.key, asked.value),
    document: plant(passage(haystack, start, words), planted, haystack.between),
  }));
};
