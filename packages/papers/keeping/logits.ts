import { haystackOf, type TextName } from '@loci/evaluate';
import type { Model, OpenOptions, Session } from 'loci';
import { inSession } from '../methods/in-session.ts';

/** Logits behind a text of which the first `prompt` tokens are read as a prompt, and the rest behind what is kept of it. */
export function lastLogits(
  model: Model,
  options: OpenOptions,
  text: Int32Array,
  prompt: number,
): Promise<Float32Array> {
  return inSession(model, options, async (session) => {
    await session.prefill({ ids: text.subarray(0, prompt) });
    return (await session.prefill({ ids: text })).logits;
  });
}

/** The same with what follows the prompt read token by token, and what is kept of it then. */
export function stepwise(
  model: Model,
  options: OpenOptions,
  text: Int32Array,
  prompt: number,
): Promise<{ readonly logits: Float32Array; readonly kept: Session['kept'] }> {
  return inSession(model, options, async (session) => {
    let { logits } = await session.prefill({ ids: text.subarray(0, prompt) });
    for (let n = prompt + 1; n <= text.length; n++) ({ logits } = await session.prefill({ ids: text.subarray(0, n) }));
    return { logits, kept: session.kept };
  });
}

export function largestGap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}

/** So many tokens from the middle of a book. */
export function bookText({ tokenizer }: Model, n: number, book: TextName = 'moby-dick'): Int32Array {
  const text = haystackOf(book)
    .sentences.join(' ')
    .slice(200_000, 200_000 + 8 * n);
  return tokenizer.encode(text, { special: 'text' }).slice(0, n);
}
