import { LociError } from 'loci';
import { Random } from '../random.ts';
import { type Depth, drawDepth } from './haystack.ts';
import { flatten, join, type Marked, mark } from './marked.ts';
import { filledCase } from './prompt.ts';
import { type CaseOptions, caseId, type Task } from './task.ts';
import { wordKey } from './words.ts';

export interface KeyValueOptions extends CaseOptions {
  /** `lines` of words and numbers (the default), or a `json` object of UUIDs. */
  readonly form?: 'lines' | 'json';
  readonly depth?: Depth;
}

/**
 * Many keys with their values, one of which is asked for. `lines`: LongEval (Li et al. 2023), line retrieval, with five
 * digits always. `json`: Liu et al. 2023, "Lost in the Middle", key-value retrieval. The length is met to within one entry.
 */
export const keyValue: Task<KeyValueOptions> = (model, options, number) => {
  const { form = 'lines' } = options;
  if (form !== 'lines' && form !== 'json') {
    throw new LociError('bad-option', `form is "${form}"; it must be "lines" or "json"`);
  }
  const id = caseId('key-value', { ...options, form }, number);
  const random = new Random(id);
  const depth = drawDepth(random, options.depth);
  const { drawKey, drawValue, entry, between, wording } = form === 'lines' ? lines : json;
  const key = drawKey(random);
  const value = drawValue(random);
  const keys = new Set([key]);
  const others: string[] = [];
  const other = (i: number) => {
    for (let tries = 0; others.length <= i; tries++) {
      if (tries > 1000) throw new LociError('bad-option', `there are no more than ${keys.size} keys for ${form}`);
      const next = drawKey(random);
      if (keys.has(next)) continue;
      keys.add(next);
      others.push(flatten(entry(next, drawValue(random))).text);
    }
    return others[i] ?? '';
  };
  return filledCase(model, id, options.length, (count) => {
    const entries: Marked[] = Array.from({ length: count }, (_, i) => other(i));
    entries.splice(
      Math.floor((count + 1) * Math.min(depth, 1 - 1e-9)),
      0,
      mark('needle', ...entry(key, mark('value', value))),
    );
    return { ...wording(key, value), document: join(entries, between), accepted: [value] };
  });
};

const lines = {
  drawKey: wordKey,
  drawValue: (random: Random) => String(random.integer(10_000, 50_000)),
  entry: (key: string, value: Marked): Marked[] => [`line ${key}: REGISTER_CONTENT is <`, value, '>'],
  between: '\n',
  wording: (key: string, value: string) => ({
    instruction:
      "Below is a record of lines I want you to remember. Each line begins with 'line <line index>' and contains a " +
      "'<REGISTER_CONTENT>' at the end of the line as a numerical value. For each line index, memorize its " +
      'corresponding <REGISTER_CONTENT>. At the end of the record, I will ask you to retrieve the corresponding ' +
      '<REGISTER_CONTENT> of a certain line index. Now the record start:\n\n',
    question: `\n\nNow the record is over. Tell me what is the <REGISTER_CONTENT> in line ${key}? I need the number.`,
    opening: `The <REGISTER_CONTENT> in line ${key} is`,
    answer: ` <${value}>`,
  }),
};

const json = {
  drawKey: (random: Random) => random.uuid(),
  drawValue: (random: Random) => random.uuid(),
  entry: (key: string, value: Marked): Marked[] => [`"${key}": "`, value, '"'],
  between: ',\n ',
  wording: (key: string, value: string) => ({
    instruction: 'Extract the value corresponding to the specified key in the JSON object below.\n\nJSON data:\n{',
    question: `}\n\nKey: "${key}"`,
    opening: 'Corresponding value:',
    answer: ` "${value}"`,
  }),
};
