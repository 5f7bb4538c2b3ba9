import { LociError, type Tokenizer } from 'loci';

/** Which bytes of a text each of its tokens covers. */
export interface Alignment {
  readonly ids: Int32Array;
  /** The last token that begins at or before a character. */
  tokenAt(character: number): number;
  /** Tokens [start, end) that have a part of the characters [start, end). */
  span(start: number, end: number): { readonly start: number; readonly end: number };
}

/**
 * Encodes a text as a whole and finds where its tokens lie: nothing is assumed about where a tokenizer may be cut.
 * @throws LociError `unsupported` when the tokens do not spell the text, as with tokenizers that normalise it.
 */
export function align(tokenizer: Tokenizer, text: string): Alignment {
  const ids = tokenizer.encode(text, { special: 'parse' });
  // starts[i] is the byte at which token i begins; the entry after the last is the end of the text.
  const starts = new Int32Array(ids.length + 1);
  for (let i = 0; i < ids.length; i++) starts[i + 1] = (starts[i] ?? 0) + tokenizer.bytes(ids[i] ?? 0).length;
  // Some vocabularies put a space before a text, which is no part of it.
  const extra = (starts[ids.length] ?? 0) - Buffer.byteLength(text);
  if (extra !== 0 && !(extra === 1 && tokenizer.bytes(ids[0] ?? 0)[0] === 0x20)) {
    throw new LociError(
      'unsupported',
      `the tokens of a prompt spell ${Math.abs(extra)} bytes ${extra > 0 ? 'more' : 'less'} than its text: this ` +
        'tokenizer changes texts, so that what is in a prompt cannot be located',
    );
  }
  for (let i = 1; i <= ids.length; i++) starts[i] = (starts[i] ?? 0) - extra;
  const byteOf = (character: number) => Buffer.byteLength(text.slice(0, character));
  /** The first token, or the end, that begins at or after a byte. */
  const from = (byte: number) => {
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) < byte) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const tokenAt = (character: number) => from(byteOf(character) + 1) - 1;
  return { ids, tokenAt, span: (start, end) => ({ start: tokenAt(start), end: from(byteOf(end)) }) };
}
