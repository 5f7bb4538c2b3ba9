import { needle, type TaskCase, type TaskModel, type TextName } from '@loci/evaluate';
import { LociError } from 'loci';
import type { TokenSpan } from './score.ts';

export interface InstanceOptions {
  readonly count: number;
  /** Tokens of a prompt; instances take turns. */
  readonly lengths: readonly number[];
  readonly haystack: TextName;
  readonly seed: number;
}

/** Shares of the text before the needle: nine, from a tenth on. */
const depths = Array.from({ length: 9 }, (_, i) => (i + 1) / 10);

/** Needles of words and of digits, each with a key, a value and a passage of its own; lengths and depths go round. */
export function* instances(model: TaskModel, { count, lengths, haystack, seed }: InstanceOptions): Generator<TaskCase> {
  for (let i = 0; i < count; i++) {
    const length = lengths[i % lengths.length] ?? 0;
    const depth = depths[Math.floor(i / lengths.length) % depths.length] ?? 0;
    const value = i % 2 === 0 ? 'words' : 'numbers';
    yield needle(model, { length, depth, haystack, value, seed }, i);
  }
}

/** The ids of a prompt, and the part of the needle that is asked for. @throws LociError `bad-option` without one. */
export function promptOf({ id, context, question, spans }: TaskCase): { ids: Int32Array; value: TokenSpan } {
  const value = spans.find(({ kind }) => kind === 'value');
  if (!value) throw new LociError('bad-option', `${id}: there is no needle in the prompt`);
  return { ids: Int32Array.from([...context, ...question]), value };
}
