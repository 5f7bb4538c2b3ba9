import { LociError, type Model } from 'loci';

/** Characters per token beyond which no text goes: what is longer than the window times this is not worth encoding. */
const manyCharacters = 32;

/**
 * The ids of a prompt. A text that is far too long is refused after its first part, since encoding all of it would
 * keep a Ctrl-C waiting.
 * @param window Tokens that a session holds.
 * @throws LociError `too-long`, and what `Model.idsOf` throws.
 */
export function promptIds(
  model: Model,
  text: string,
  asPrompt: (text: string) => Parameters<Model['idsOf']>[0],
  window = model.contextLength,
): Int32Array {
  const part = window * manyCharacters;
  if (text.length > 2 * part) {
    const tokens = model.tokenizer.encode(text.slice(0, part), { special: 'text' }).length;
    if (tokens > window) {
      const about = Math.round((tokens / part) * text.length);
      const sizes = `the text has about ${about} tokens and the window of ${model.name} is ${window}`;
      throw new LociError(
        'too-long',
        `${sizes}: shorten the text, choose a model with a longer window, or read it with --remember`,
      );
    }
  }
  return model.idsOf(asPrompt(text));
}
