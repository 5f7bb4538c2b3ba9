import { haystackOf } from '@loci/evaluate';
import type { Model, OpenOptions } from 'loci';

/** Logits behind a text of which the first `prompt` tokens are read as a prompt, and the rest behind what is kept of it. */
export async function lastLogits(
  model: Model,
  options: OpenOptions,
  text: Int32Array,
  prompt: number,
): Promise<Float32Array> {
  const session = await model.open(options);
  try {
    await session.prefill({ ids: text.subarray(0, prompt) });
    return (await session.prefill({ ids: text })).logits;
  } finally {
    session.close();
  }
}

export function largestGap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}

/** So many tokens from the middle of a book. */
export function bookText({ tokenizer }: Model, n: number): Int32Array {
  const text = haystackOf('moby-dick')
    .sentences.join(' ')
    .slice(200_000, 200_000 + 8 * n);
  return tokenizer.encode(text, { special: 'text' }).slice(0, n);
}
