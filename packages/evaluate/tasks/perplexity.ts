import { LociError } from 'loci';
import { Random } from '../random.ts';
import { type Haystack, haystackOf, type TextName } from './haystack.ts';
import { bookTokens } from './running-text.ts';
import { type CaseOptions, caseId, type Task } from './task.ts';

export interface PerplexityOptions extends CaseOptions {
  /** Tokens at the end that are predicted, the others being the context; by default all but the first. */
  readonly scored?: number;
  /** `dracula` by default, in which nothing else is hidden. */
  readonly text?: TextName | Haystack;
}

/**
 * Running text of a book, to be predicted: losses over position. Plain text, without the chat template; `length` counts
 * context and answer.
 */
export const perplexity: Task<PerplexityOptions> = (model, options, number) => {
  const { length, scored = length - 1 } = options;
  if (!Number.isInteger(scored) || scored < 1 || scored >= length) {
    throw new LociError('bad-option', `scored is ${scored}; it must be a whole number from 1 to below the length`);
  }
  const book = haystackOf(options.text ?? 'dracula');
  const id = caseId('perplexity', { ...options, text: book.name, scored }, number);
  const ids = bookTokens(model, book, new Random(id), length);
  return {
    id,
    context: ids.slice(0, length - scored),
    question: new Int32Array(),
    answer: ids.slice(length - scored),
    accepted: [],
    maxTokens: 0,
    spans: [],
  };
};
