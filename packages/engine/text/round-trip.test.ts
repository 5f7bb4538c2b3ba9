import { fc, test } from '@fast-check/vitest';
import { describe, expect, test as plainTest } from 'vitest';
import { tokenizerFromGguf } from './from-gguf.ts';
import {
  byteAlphabet,
  byteLevelMetadata,
  GEMMA3,
  hasGemma3,
  hasSmolLm2,
  readModel,
  SMOLLM2,
  sentencePieceMetadata,
} from './test-vocabularies.ts';
import type { Tokenizer } from './types.ts';

const PIECES = ['▁a', 'ab', '▁', 'a', 'b', 'é', '▁▁', '漢', 'a▁'];

const tokenizers: readonly { name: string; load: (() => Promise<Tokenizer>) | undefined }[] = [
  {
    name: 'byte-level',
    load: async () => tokenizerFromGguf(byteLevelMetadata({ merges: ['a b', 'Ġ a', 'Ã ©'], controls: ['<|x|>'] })),
  },
  { name: 'SentencePiece with a space before', load: async () => tokenizerFromGguf(sentencePieceMetadata(PIECES)) },
  {
    name: 'SentencePiece without one',
    load: async () => tokenizerFromGguf(sentencePieceMetadata(PIECES, { add_space_prefix: false })),
  },
  { name: 'SmolLM2', load: hasSmolLm2 ? async () => (await readModel(SMOLLM2)).tokenizer : undefined },
  { name: 'Gemma 3 (LOCI_GEMMA3)', load: hasGemma3 ? async () => (await readModel(GEMMA3)).tokenizer : undefined },
];

/** Any UTF-16, lone surrogates among it, and what tokenizers stumble over. U+2581 is a space to SentencePiece. */
const unit = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }).map((code) => (code === 0x2581 ? '_' : String.fromCharCode(code))),
  fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code === 0x2581 ? 0x5f : code)),
  fc.constantFrom(
    ' ',
    '  ',
    '\n',
    '\r\n',
    '\t',
    'a',
    'b',
    'ab',
    "'s",
    '1',
    '23',
    '½',
    'é',
    'e\u0301',
    '漢',
    '\u0085',
    '\ufeff',
  ),
  fc.constantFrom('👩‍👩‍👧', '👨🏽', '🇫🇷', '\u200d', '<s>', '</s>', '<|x|>', '<|im_end|>', '<0x41>', '\u0000', '\ufffd'),
);
const text = fc.string({ unit, maxLength: 40 });
const special = fc.constantFrom('text', 'parse');

/** Bytes that have a token of their own: all of them in most vocabularies, 236 in that of SmolLM2. */
function spelledBytes(tokenizer: Tokenizer): Set<number | undefined> {
  const tokens = Array.from({ length: tokenizer.vocabularySize }, (_, id) => tokenizer.bytes(id));
  return new Set(tokens.filter((bytes) => bytes.length === 1).map((bytes) => bytes[0]));
}

/** The text without what the vocabulary cannot write. */
function writable(input: string, bytes: ReadonlySet<number | undefined>): string {
  const fits = (character: string): boolean => new TextEncoder().encode(character).every((byte) => bytes.has(byte));
  return Array.from(input.toWellFormed()).filter(fits).join('');
}

for (const { name, load } of tokenizers) {
  describe.skipIf(load === undefined)(name, () => {
    const loading = load?.();
    const spelled = loading?.then(spelledBytes);
    const tokenizer = async (): Promise<Tokenizer> => {
      if (loading === undefined) throw new Error('the test should have been skipped');
      return loading;
    };

    test.prop([text, special], { numRuns: 400 })('decoding gives back what was encoded', async (input, mode) => {
      const { encode, decode } = bind(await tokenizer());
      const all = writable(input, (await spelled) ?? new Set());
      // The mark of inert text is none where special tokens are read.
      const kept = mode === 'parse' ? all.replaceAll('\ufdd0', '') : all;
      expect(decode(encode(kept, { special: mode }))).toBe(kept);
    });

    test.prop([text], { numRuns: 200 })(
      'an inert text is read as text where special tokens are read',
      async (input) => {
        const { encode, inert } = bind(await tokenizer());
        // The mark itself is given up for it.
        for (const some of [input, `\ufdd0${input}\ufdd0`]) {
          const kept = some.replaceAll('\ufdd0', '\ufffd');
          expect(encode(inert(some), { special: 'parse' })).toEqual(encode(kept, { special: 'text' }));
        }
      },
    );

    plainTest('ids outside the vocabulary are refused', async () => {
      const loaded = await tokenizer();
      for (const id of [-1, loaded.vocabularySize, 0.5, Number.NaN]) {
        expect(() => loaded.decode([id])).toThrow(expect.objectContaining({ code: 'bad-option' }));
        expect(() => loaded.bytes(id)).toThrow(expect.objectContaining({ code: 'bad-option' }));
      }
    });
  });
}

function bind(tokenizer: Tokenizer): Pick<Tokenizer, 'encode' | 'inert' | 'decode' | 'detokenizer'> {
  return {
    encode: (input, options) => tokenizer.encode(input, options),
    inert: (input) => tokenizer.inert(input),
    decode: (ids, options) => tokenizer.decode(ids, options),
    detokenizer: (options) => tokenizer.detokenizer(options),
  };
}

describe('broken text', () => {
  plainTest('lone surrogates are encoded as U+FFFD', () => {
    const tokenizer = tokenizerFromGguf(byteLevelMetadata({}));
    const ids = tokenizer.encode('a\ud83db\ude00', { special: 'text' });
    expect(tokenizer.decode(ids)).toBe('a\ufffdb\ufffd');
  });

  plainTest('a byte without a token is dropped, as llama.cpp does', () => {
    const metadata = byteLevelMetadata({});
    const tokens = byteAlphabet().map((character, byte) => (byte === 0x42 ? 'spare' : character));
    const tokenizer = tokenizerFromGguf(metadata.set('tokenizer.ggml.tokens', tokens));
    expect(tokenizer.decode(tokenizer.encode('aBc', { special: 'text' }))).toBe('ac');
  });
});

describe('broken bytes', () => {
  plainTest('become U+FFFD as soon as they cannot become a character, and at the end', () => {
    const tokenizer = tokenizerFromGguf(byteLevelMetadata({}));
    const stream = tokenizer.detokenizer();
    // 😀 is F0 9F 98 80; in a byte-level vocabulary without merges, ids are bytes.
    expect([0xf0, 0x9f, 0x98].map((id) => stream.push(id))).toEqual(['', '', '']);
    expect(stream.push(0x80)).toBe('😀');
    expect([0xf0, 0x9f].map((id) => stream.push(id)).join('')).toBe('');
    expect(stream.push(0x41)).toBe('\ufffdA');
    stream.push(0xe6);
    expect(stream.flush()).toBe('\ufffd');
    expect(stream.push(0x42)).toBe('B');
  });

  plainTest('a byte order mark is text', () => {
    const tokenizer = tokenizerFromGguf(byteLevelMetadata({}));
    expect(tokenizer.decode(tokenizer.encode('\ufeffa\ufeff', { special: 'text' }))).toBe('\ufeffa\ufeff');
  });
});

describe('special tokens in the output', () => {
  const tokenizer = tokenizerFromGguf(byteLevelMetadata({ controls: ['<|x|>'] }));
  const ids = tokenizer.encode('a<|x|>b', { special: 'parse' });

  plainTest('are written by default and left out on request', () => {
    expect(ids).toHaveLength(3);
    expect(tokenizer.decode(ids)).toBe('a<|x|>b');
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe('ab');
  });

  plainTest('are spelled out when not parsed', () => {
    const spelled = tokenizer.encode('a<|x|>b', { special: 'text' });
    expect(spelled).toHaveLength(7);
    expect(tokenizer.decode(spelled, { skipSpecial: true })).toBe('a<|x|>b');
  });
});
