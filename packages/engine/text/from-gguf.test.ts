import { fc, test } from '@fast-check/vitest';
import { describe, expect, test as plainTest } from 'vitest';
import type { MetadataValue } from '../format/types.ts';
import { tokenizerFromGguf } from './from-gguf.ts';
import { byteLevelMetadata, sentencePieceMetadata } from './test-vocabularies.ts';

type Change = Readonly<Record<string, MetadataValue | undefined>>;

function changed(metadata: ReadonlyMap<string, MetadataValue>, change: Change): Map<string, MetadataValue> {
  const copy = new Map(metadata);
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) copy.delete(`tokenizer.ggml.${key}`);
    else copy.set(`tokenizer.ggml.${key}`, value);
  }
  return copy;
}

const byteLevel = byteLevelMetadata({ merges: ['a b'], controls: ['<|im_end|>'] });
const sentencePiece = sentencePieceMetadata(['▁', 'a', 'b', '▁a', 'ab', '▁ab', 'c']);
const FIRST_PIECE = 259;

describe('what cannot be read is refused by name', () => {
  plainTest.each<[string, string, Map<string, MetadataValue>, Change]>([
    ['unsupported', "tokenizer.ggml.model is 'bert'", byteLevel, { model: 'bert' }],
    ['unsupported', "tokenizer.ggml.pre is 'klingon'", byteLevel, { pre: 'klingon' }],
    ['unsupported', 'remove_extra_whitespaces', sentencePiece, { remove_extra_whitespaces: true }],
    ['bad-file', 'the metadata lack tokenizer.ggml.model', byteLevel, { model: undefined }],
    ['bad-file', 'tokenizer.ggml.model is not a string', byteLevel, { model: 3 }],
    ['bad-file', 'the metadata lack tokenizer.ggml.tokens', byteLevel, { tokens: undefined }],
    ['bad-file', 'tokenizer.ggml.tokens is not an array of strings', byteLevel, { tokens: [1, 2] }],
    ['bad-file', 'the vocabulary is empty', byteLevel, { tokens: [], token_type: [], merges: [] }],
    ['bad-file', 'are both "a"', byteLevel, { tokens: ['a', 'a'], token_type: [1, 1] }],
    ['bad-file', 'token_type has 1 entries for 258 tokens', byteLevel, { token_type: [1] }],
    ['bad-file', 'the metadata lack tokenizer.ggml.merges', byteLevel, { merges: undefined }],
    ['bad-file', 'tokenizer.ggml.merges[0] is "ab", not two tokens', byteLevel, { merges: ['ab'] }],
    ['bad-file', 'merge 0 needs the token "ba"', byteLevel, { merges: ['b a'] }],
    ['bad-file', 'merge 0 needs the token "zz"', byteLevel, { merges: ['zz a'] }],
    ['bad-file', 'the metadata lack tokenizer.ggml.scores', sentencePiece, { scores: undefined }],
    ['bad-file', 'scores has 1 entries', sentencePiece, { scores: Float32Array.of(1) }],
    [
      'bad-file',
      'scores has a value that is no number',
      sentencePiece,
      { scores: new Float32Array(266).fill(Number.NaN) },
    ],
    ['bad-file', 'is marked as a byte but is not <0xXX>', sentencePiece, { token_type: new Int32Array(266).fill(6) }],
    ['bad-file', 'bos_token_id is not a token id', byteLevel, { bos_token_id: 'x' }],
    ['bad-file', 'add_bos_token is not true or false', byteLevel, { add_bos_token: 1, bos_token_id: 0 }],
  ])('%s: %s', (code, message, metadata, change) => {
    const read = (): unknown => tokenizerFromGguf(changed(metadata, change), 'some.gguf');
    expect(read).toThrow(expect.objectContaining({ code }));
    expect(read).toThrow(message);
    expect(read).toThrow('some.gguf');
  });
});

describe('the roles of tokens', () => {
  plainTest('come from the file, ids outside the vocabulary meaning none', () => {
    const change = { bos_token_id: 1, eos_token_id: 2n, padding_token_id: 4294967295, add_bos_token: true };
    const { special, addBos, endOfGeneration } = tokenizerFromGguf(changed(byteLevel, change));
    expect(special).toEqual({ bos: 1, eos: 2, eot: 257 });
    expect(addBos).toBe(true);
    expect(Array.from(endOfGeneration).sort()).toEqual([2, 257]);
  });

  plainTest('a known end of turn is a control token whatever its type', () => {
    const tokenizer = tokenizerFromGguf(changed(byteLevel, { token_type: new Int32Array(258).fill(1) }));
    expect(tokenizer.isSpecial(257)).toBe(true);
    expect(tokenizer.encode('<|im_end|>', { special: 'parse' })).toEqual(Int32Array.of(257));
    expect(tokenizer.encode('<|im_end|>', { special: 'text' })).toHaveLength(10);
  });

  plainTest('a format of channels ends with its own token and not with each message', () => {
    const controls = ['<|end|>', '<|return|>', '<|call|>'];
    expect(Array.from(tokenizerFromGguf(byteLevelMetadata({ controls })).endOfGeneration)).toEqual([257, 258]);
  });

  plainTest('SentencePiece has its own when the file is silent, and no start without one', () => {
    const { special, addBos } = tokenizerFromGguf(sentencePiece);
    expect(special).toEqual({ bos: 1, eos: 2, unk: 0 });
    expect(addBos).toBe(true);
    expect(tokenizerFromGguf(byteLevelMetadata({ pre: 'llama-bpe' })).addBos).toBe(false);
  });

  plainTest('user-defined tokens are found in text that is not parsed, too', () => {
    const types = Int32Array.from({ length: 258 }, (_, id) => (id === 256 ? 4 : 1));
    const tokenizer = tokenizerFromGguf(changed(byteLevel, { token_type: types, merges: [] }));
    expect(Array.from(tokenizer.encode('ab', { special: 'text' }))).toEqual([256]);
    expect(tokenizer.isSpecial(256)).toBe(false);
  });
});

plainTest('a merge that is listed twice has its first rank', () => {
  const tokenizer = tokenizerFromGguf(byteLevelMetadata({ merges: ['a b', 'b c', 'a b'] }));
  expect(Array.from(tokenizer.encode('abc', { special: 'text' }))).toEqual([256, 0x63]);
});

describe('SentencePiece', () => {
  const tokenizer = tokenizerFromGguf(sentencePiece);
  const ids = (text: string): string[] =>
    Array.from(tokenizer.encode(text, { special: 'parse' }), (id) =>
      id >= FIRST_PIECE ? (['▁', 'a', 'b', '▁a', 'ab', '▁ab', 'c'][id - FIRST_PIECE] ?? '') : String(id),
    );

  plainTest('the pair with the best score merges first, wherever it stands', () => {
    // "▁a" scores above "ab", so it is made first, and then joins b.
    expect(ids('ab')).toEqual(['▁ab']);
    expect(ids('abab')).toEqual(['▁ab', 'ab']);
    expect(ids('ba')).toEqual(['▁', 'b', 'a']);
  });

  plainTest('a space is put before the text and after special tokens', () => {
    expect(ids('a<s>a')).toEqual(['▁a', '1', '▁a']);
    expect(tokenizer.decode(tokenizer.encode('a<s>a', { special: 'parse' }))).toBe('a<s>a');
  });

  plainTest('an answer keeps the space that a prompt would lose', () => {
    const answer = [FIRST_PIECE + 3];
    expect(tokenizer.decode(answer)).toBe('a');
    expect(tokenizer.decode(answer, { continues: true })).toBe(' a');
  });

  plainTest('characters outside the vocabulary are spelled in bytes', () => {
    expect(ids('é')).toEqual(['▁', String(3 + 0xc3), String(3 + 0xa9)]);
  });

  plainTest('a lone surrogate is the token U+FFFD', () => {
    const withReplacement = tokenizerFromGguf(sentencePieceMetadata(['▁', '\ufffd']));
    expect(Array.from(withReplacement.encode('\ud800', { special: 'text' }))).toEqual([FIRST_PIECE, FIRST_PIECE + 1]);
  });

  plainTest('without byte tokens they are unknown', () => {
    const pieces = ['<unk>', '▁', 'a'];
    const small = tokenizerFromGguf(
      new Map<string, MetadataValue>([
        ['tokenizer.ggml.model', 'llama'],
        ['tokenizer.ggml.tokens', pieces],
        ['tokenizer.ggml.scores', [0, 0, 0]],
      ]),
    );
    expect(Array.from(small.encode('aéé', { special: 'text' }))).toEqual([1, 2, 0, 0]);
  });
});

/** SentencePiece without any cutting: the whole text, all pairs looked at each time. */
function encodeWhole(text: string, pieces: readonly string[]): string[] {
  const symbols = Array.from(`▁${text.replaceAll(' ', '▁')}`);
  for (;;) {
    let best = -1;
    let bestScore = Infinity;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const score = pieces.indexOf((symbols[i] ?? '') + (symbols[i + 1] ?? ''));
      if (score >= 0 && score < bestScore) {
        bestScore = score;
        best = i;
      }
    }
    if (best < 0) return symbols;
    symbols.splice(best, 2, (symbols[best] ?? '') + (symbols[best + 1] ?? ''));
  }
}

const letter = fc.constantFrom('a', 'b', '▁');
const vocabulary = fc.uniqueArray(fc.string({ unit: letter, minLength: 2, maxLength: 4 }), { maxLength: 12 });

test.prop([vocabulary, fc.string({ unit: fc.constantFrom('a', 'b', ' '), minLength: 1, maxLength: 80 })], {
  numRuns: 300,
})('cutting the text where no token reaches changes nothing', (longer, text) => {
  const pieces = [...longer, 'a', 'b', '▁'];
  const tokenizer = tokenizerFromGguf(sentencePieceMetadata(pieces));
  const got = Array.from(tokenizer.encode(text, { special: 'text' }), (id) => pieces[id - FIRST_PIECE]);
  expect(got).toEqual(encodeWhole(text, pieces));
});
