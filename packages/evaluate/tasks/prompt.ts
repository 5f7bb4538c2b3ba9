import { LociError } from 'loci';
import { align } from './align.ts';
import { fill } from './fill.ts';
import { flatten, type Marked } from './marked.ts';
import type { TaskCase, TaskModel } from './task.ts';

/** A question about a document, in words. */
export interface Asked {
  /** What comes before the document. */
  readonly instruction: string;
  readonly document: readonly Marked[];
  /** What comes after it. */
  readonly question: string;
  /** Words with which the answer begins, put into the model's mouth; they end where a space would follow. */
  readonly opening: string;
  /** The rest of the right answer, with the space before it. */
  readonly answer: string;
  readonly accepted: readonly string[];
  /** Room for an answer in tokens; by default the right answer and some words more. */
  readonly maxTokens?: number;
}

/** Words that a model may say before and after a right answer. */
const room = 12;

/**
 * A case whose document is as long as the prompt's length allows.
 * @param ask Makes the question for a document of so many pieces, which are drawn independently of their number.
 * @throws LociError `bad-option` when the length is too small; `unsupported` for a model without a chat template, or one
 * whose template or tokenizer changes the text.
 */
export function filledCase(
  model: TaskModel,
  id: string,
  length: number,
  ask: (pieces: number) => Asked,
  range?: { readonly least?: number; readonly most?: number },
): TaskCase {
  const pieces = fill(length, (amount) => encode(model, promptOf(model, ask(amount)).text).length, range);
  return caseOf(model, id, ask(pieces));
}

function caseOf(model: TaskModel, id: string, asked: Asked): TaskCase {
  const { text, content, spans } = promptOf(model, asked);
  const { ids, tokenAt, span } = align(model.tokenizer, text);
  const questionStart = tokenAt(content + flatten([asked.instruction, ...asked.document]).text.length);
  const whole = encode(model, text + asked.answer);
  if (ids.some((token, i) => whole[i] !== token)) {
    throw new LociError('unsupported', `${id}: this tokenizer joins the end of the prompt with the answer`);
  }
  const answer = whole.slice(ids.length);
  return {
    id,
    context: ids.slice(0, questionStart),
    question: ids.slice(questionStart),
    answer,
    accepted: asked.accepted,
    maxTokens: asked.maxTokens ?? answer.length + room,
    spans: spans.map(({ kind, start, end }) => ({ kind, ...span(content + start, content + end) })),
  };
}

/** The prompt, where the message lies in it, and where the marked parts lie in the message. */
function promptOf(model: TaskModel, { instruction, document, question, opening }: Asked) {
  const { text: message, spans } = flatten([instruction, ...document, question]);
  const rendered = model.render([{ role: 'user', content: message }]);
  const content = rendered.lastIndexOf(message);
  if (content < 0) {
    throw new LociError('unsupported', 'the chat template changes messages, so that nothing in them can be located');
  }
  return { text: rendered + opening, content, spans };
}

function encode({ tokenizer }: TaskModel, text: string): Int32Array {
  return tokenizer.encode(text, { special: 'parse' });
}
