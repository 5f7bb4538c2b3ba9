import { commonWords } from './common-words.ts';
import { keyValue } from './key-value.ts';
import { multikey } from './multikey.ts';
import { needle } from './needle.ts';
import { passkey } from './passkey.ts';
import { perplexity } from './perplexity.ts';
import { repeatedPassage } from './repeated-passage.ts';
import { variables } from './variables.ts';

export type { CommonWordsOptions } from './common-words.ts';
export {
  type Depth,
  type Haystack,
  type HaystackName,
  haystackOf,
  sentences,
  type TextName,
  texts,
} from './haystack.ts';
export type { KeyValueOptions } from './key-value.ts';
export type { MultikeyOptions } from './multikey.ts';
export type { NeedleForm, NeedleOptions } from './needle.ts';
export type { PasskeyOptions } from './passkey.ts';
export type { PerplexityOptions } from './perplexity.ts';
export type { RepeatedPassageOptions } from './repeated-passage.ts';
export { bookTokens } from './running-text.ts';
export type { CaseOptions, Span, SpanKind, Task, TaskCase, TaskModel } from './task.ts';
export type { VariablesOptions } from './variables.ts';
export { commonWords, keyValue, multikey, needle, passkey, perplexity, repeatedPassage, variables };

/** Every task by the name that it has in the ids of its cases. */
export const tasks = {
  needle,
  multikey,
  passkey,
  variables,
  'common-words': commonWords,
  'key-value': keyValue,
  'repeated-passage': repeatedPassage,
  perplexity,
} as const;
export type TaskName = keyof typeof tasks;
