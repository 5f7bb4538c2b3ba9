import type { Random } from '../random.ts';
import { type Haystack, passage, startBefore } from './haystack.ts';
import type { TaskModel } from './task.ts';

/** The tokens that a model expects before every text. */
export function beginOf({ tokenizer }: TaskModel): readonly number[] {
  const { bos } = tokenizer.special;
  return tokenizer.addBos && bos !== undefined ? [bos] : [];
}

/** So many tokens of a book from a sentence by chance on, those of `beginOf` included. */
export function bookTokens(model: TaskModel, book: Haystack, random: Random, count: number): Int32Array {
  // No word is less than a token, so these are enough. The space lets the first word have the token that it has within a text.
  const text = ` ${passage(book, startBefore(book, random, count), count).join(book.between)}`;
  return Int32Array.from([...beginOf(model), ...model.tokenizer.encode(text, { special: 'text' })]).slice(0, count);
}
