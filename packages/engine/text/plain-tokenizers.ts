/** Vocabularies that need no file: the bytes of a text, and numbers for models whose tokens stand for nothing else. */
import { LociError } from '../errors.ts';
import { StreamingDetokenizer } from './detokenizer.ts';
import type { Tokenizer } from './types.ts';

/** Ids 0 to 255 are the bytes of UTF-8. */
export function byteTokenizer(): Tokenizer {
  return plain(256, {
    encode: (text) => Int32Array.from(new TextEncoder().encode(text.toWellFormed())),
    bytes: (id) => Uint8Array.of(id),
  });
}

/** A text is the ids themselves, with blanks between them. */
export function idTokenizer(vocabulary: number): Tokenizer {
  return plain(vocabulary, {
    encode(text) {
      const words = text.split(/[\s,]+/).filter((word) => word !== '');
      return Int32Array.from(words, (word) => {
        if (/^\d+$/.test(word) && Number(word) < vocabulary) return Number(word);
        const known = `this model knows no text: write ids from 0 to ${vocabulary - 1} with blanks between them`;
        throw new LociError('bad-option', `"${word}" is not a token; ${known}`);
      });
    },
    bytes: (id) => new TextEncoder().encode(`${id} `),
  });
}

function plain(
  vocabularySize: number,
  {
    encode,
    bytes: spell,
  }: { encode(text: string): Int32Array<ArrayBuffer>; bytes(id: number): Uint8Array<ArrayBuffer> },
): Tokenizer {
  const bytes = (id: number) => {
    if (Number.isInteger(id) && id >= 0 && id < vocabularySize) return spell(id);
    throw new LociError('bad-option', `${id} is not a token id; the vocabulary has ids 0 to ${vocabularySize - 1}`);
  };
  const detokenizer = () => new StreamingDetokenizer(() => bytes);
  return {
    ...{ vocabularySize, special: {}, endOfGeneration: new Set<number>(), addBos: false },
    ...{ encode, bytes, detokenizer, inert: (text) => text, isSpecial: () => false },
    decode(ids) {
      const one = detokenizer();
      return [...Array.from(ids, (id) => one.push(id)), one.flush()].join('');
    },
  };
}
