import { LociError } from 'loci';
import { Random } from '../random.ts';
import { type Haystack, haystackOf, type TextName } from './haystack.ts';
import { beginOf, bookTokens } from './running-text.ts';
import { type CaseOptions, caseId, type Task } from './task.ts';

export interface RepeatedPassageOptions extends CaseOptions {
  /** Tokens of the passage; 200 by default. */
  readonly passage?: number;
  readonly text?: TextName | Haystack;
}

/**
 * A passage, other text, and the passage again, which is the answer: a model that looks back predicts it without loss
 * (Tang et al. 2024, "RazorAttention", through repeated text rather than random tokens). The other text is what follows
 * the passage in the book. Plain text, without the chat template; `length` is all before the second copy.
 */
export const repeatedPassage: Task<RepeatedPassageOptions> = (model, options, number) => {
  const { length, passage = 200 } = options;
  const start = beginOf(model).length;
  if (!Number.isInteger(passage) || passage < 1 || start + passage > length) {
    throw new LociError('bad-option', `passage is ${passage}; it must be a whole number from 1 to ${length - start}`);
  }
  const book = haystackOf(options.text ?? 'moby-dick');
  const id = caseId('repeated-passage', { ...options, text: book.name, passage }, number);
  const context = bookTokens(model, book, new Random(id), length);
  const end = start + passage;
  return {
    id,
    context,
    question: new Int32Array(),
    answer: context.slice(start, end),
    accepted: [],
    maxTokens: passage,
    spans: [{ kind: 'passage', start, end }],
  };
};
