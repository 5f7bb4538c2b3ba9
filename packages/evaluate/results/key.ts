import { createHash } from 'node:crypto';
import type { TaskCase } from '../tasks/task.ts';

/** All that a result depends on. */
export interface ResultOf {
  /** A case, or the name of a piece of work that is none. */
  readonly case: TaskCase | string;
  /** The method with all its options, such as `keep=snapkv:budget=512,store=kv4`. */
  readonly method: string;
  /** `Model.fingerprint`. */
  readonly model: string;
  /** Version of the code that computes results: another one computes them anew. */
  readonly code: string;
}

/** The key of a result: the SHA-256 of all that it depends on, token ids included, as 64 hexadecimal digits. */
export function resultKey({ case: of, method, model, code }: ResultOf): string {
  return createHash('sha256')
    .update(JSON.stringify([...(typeof of === 'string' ? [of] : partsOf(of)), method, model, code]))
    .digest('hex');
}

function partsOf({ id, accepted, maxTokens, spans, context, question, answer }: TaskCase) {
  const ids = [context, question, answer].map((part) => Array.from(part));
  return [id, accepted, maxTokens, spans, ids];
}
