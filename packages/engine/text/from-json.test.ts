import { describe, expect, test } from 'vitest';
import { tokenizerFromGguf } from './from-gguf.ts';
import { tokenizerFromJson } from './from-json.ts';
import { MetadataReader } from './metadata.ts';
import { byteAlphabet, byteLevelMetadata, hasSmolLm2, readModel, SMOLLM2 } from './test-vocabularies.ts';

type Json = Readonly<Record<string, unknown>>;

const vocabularyOf = (tokens: readonly string[]): Record<string, number> =>
  Object.fromEntries(tokens.map((token, id) => [token, id]));

function added(id: number, content: string, more: Json = {}): Json {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...more };
}

/** Bytes are 0 … 255, "ab" is 256 and " a" is 257. */
function byteLevel(change: Json = {}, model: Json = {}): Json {
  return {
    added_tokens: [added(258, '<|im_end|>')],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: vocabularyOf([...byteAlphabet(), 'ab', 'Ġa']),
      merges: ['a b', ['Ġ', 'a']],
      ...model,
    },
    ...change,
  };
}

const PIECES = ['<unk>', '<s>', '</s>', '▁', 'a', 'b', '▁a', 'ab', '▁▁'];

/** The form of Llama 2's file, without byte tokens. */
function sentencePiece(change: Json = {}, model: Json = {}): Json {
  return {
    added_tokens: [added(0, '<unk>'), added(1, '<s>'), added(2, '</s>')],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: { type: 'BPE', unk_token: '<unk>', vocab: vocabularyOf(PIECES), merges: ['▁ a', 'a b', '▁ ▁'], ...model },
    ...change,
  };
}

function spell(json: unknown, text: string): string {
  const ids = tokenizerFromJson(json).encode(text, { special: 'parse' });
  return Array.from(ids, (id) => PIECES[id]).join(' ');
}

const metaspace = (change: Json): Json => ({
  normalizer: null,
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', ...change },
});

describe('byte-level', () => {
  test('gives the ids that the same vocabulary gives as GGUF', () => {
    const fromJson = tokenizerFromJson(byteLevel());
    const fromGguf = tokenizerFromGguf(byteLevelMetadata({ merges: ['a b', 'Ġ a'], controls: ['<|im_end|>'] }));
    for (const text of ['ab ab', "it's 12 é\n\n😀", '<|im_end|>a']) {
      for (const special of ['parse', 'text'] as const) {
        const ids = fromJson.encode(text, { special });
        expect(ids).toEqual(fromGguf.encode(text, { special }));
        expect(fromJson.decode(ids)).toBe(text);
      }
    }
    expect(fromJson.special).toEqual(fromGguf.special);
    expect(fromJson.endOfGeneration).toEqual(fromGguf.endOfGeneration);
  });

  test('ignore_merges makes a word that is a token that token', () => {
    const vocab = vocabularyOf([...byteAlphabet(), 'ab', 'Ġa', 'abba']);
    const ids = (ignore: boolean): number[] =>
      Array.from(
        tokenizerFromJson(byteLevel({ added_tokens: [] }, { vocab, ignore_merges: ignore })).encode('abba', {
          special: 'text',
        }),
      );
    expect(ids(true)).toEqual([258]);
    expect(ids(false)).toEqual([256, 0x62, 0x61]);
  });

  test('a prefix space, digits and a normalizer act before the merges', () => {
    const pre_tokenizer = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Digits', individual_digits: true },
        { type: 'ByteLevel', add_prefix_space: true },
      ],
    };
    const tokenizer = tokenizerFromJson(byteLevel({ normalizer: { type: 'NFC' }, pre_tokenizer }));
    expect(tokenizer.decode(tokenizer.encode('a1e\u0301', { special: 'text' }))).toBe(' a 1 é');
  });

  test('Split with a pattern cuts before the bytes are merged', () => {
    const pre_tokenizer = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: '(?i:A)' }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    };
    expect(tokenizerFromJson(byteLevel({ pre_tokenizer })).encode('ab', { special: 'text' })).toHaveLength(2);
  });
});

describe('in the manner of SentencePiece', () => {
  test('merges go by their order, and a space comes before every stretch of text', () => {
    expect(spell(sentencePiece(), 'ab ba')).toBe('▁a b ▁ b a');
    expect(spell(sentencePiece(), 'a</s>a')).toBe('▁a </s> ▁a');
    const tokenizer = tokenizerFromJson(sentencePiece());
    for (const text of ['ab ba', ' a', 'a</s>b', '<s>']) {
      expect(tokenizer.decode(tokenizer.encode(text, { special: 'parse' }))).toBe(text);
    }
  });

  test('Metaspace puts a space before every stretch, the first, or none', () => {
    expect(spell(sentencePiece(metaspace({ prepend_scheme: 'always' })), 'a</s>a')).toBe('▁a </s> ▁a');
    expect(spell(sentencePiece(metaspace({ prepend_scheme: 'first' })), 'a</s>a')).toBe('▁a </s> a');
    expect(spell(sentencePiece(metaspace({ prepend_scheme: 'first' })), '</s>a')).toBe('</s> a');
    expect(spell(sentencePiece(metaspace({ prepend_scheme: 'never' })), 'a a')).toBe('a ▁a');
    expect(spell(sentencePiece(metaspace({ add_prefix_space: false })), 'a')).toBe('a');
    expect(spell(sentencePiece(metaspace({})), ' a')).toBe('▁a');
  });

  test('Metaspace begins a word at every space unless told not to', () => {
    expect(spell(sentencePiece(metaspace({ prepend_scheme: 'never' })), 'a  a')).toBe('a ▁ ▁a');
    expect(spell(sentencePiece(metaspace({ prepend_scheme: 'never', split: false })), 'b  b')).toBe('b ▁▁ b');
  });

  test('characters it lacks are unknown, one by one or fused, or spelled in bytes', () => {
    expect(spell(sentencePiece(), 'aéé')).toBe('▁a <unk> <unk>');
    expect(spell(sentencePiece({}, { fuse_unk: true }), 'aééa漢')).toBe('▁a <unk> a <unk>');
    const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    const vocab = vocabularyOf([...PIECES, ...bytes]);
    const tokenizer = tokenizerFromJson(sentencePiece({}, { vocab, byte_fallback: true, fuse_unk: true }));
    const ids = tokenizer.encode('aé', { special: 'text' });
    expect(Array.from(ids)).toEqual([6, 9 + 0xc3, 9 + 0xa9]);
    expect(tokenizer.decode(ids)).toBe('aé');
  });
});

describe('added tokens', () => {
  test('those that are not special are found in any text, and may swallow white space', () => {
    const tokens = [added(258, '<think>', { special: false, rstrip: true }), added(259, '<|eot_id|>')];
    const tokenizer = tokenizerFromJson(byteLevel({ added_tokens: tokens }));
    expect(Array.from(tokenizer.encode('<think> a', { special: 'text' }))).toEqual([258, 0x61]);
    expect(tokenizer.isSpecial(258)).toBe(false);
    expect(tokenizer.isSpecial(259)).toBe(true);
    expect(tokenizer.special.eot).toBe(259);
  });

  test('ids that nothing uses are there and mean nothing', () => {
    const tokenizer = tokenizerFromJson(byteLevel({ added_tokens: [added(300, '<s>')] }));
    expect(tokenizer.vocabularySize).toBe(301);
    expect(tokenizer.decode([280])).toBe('');
  });
});

describe('the roles of tokens', () => {
  const post_processor = {
    type: 'Sequence',
    processors: [
      { type: 'ByteLevel' },
      { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A' } }] },
    ],
  };

  test('come from the configuration, as text or as an object', () => {
    const config = { bos_token: '<s>', eos_token: { content: '</s>' }, pad_token: null, add_bos_token: false };
    const { special, addBos, endOfGeneration } = tokenizerFromJson(sentencePiece({ post_processor }), config);
    expect(special).toEqual({ bos: 1, eos: 2, unk: 0 });
    expect(addBos).toBe(false);
    expect(Array.from(endOfGeneration)).toEqual([2]);
  });

  test('without one, the start is what the post-processor puts there', () => {
    const { special, addBos } = tokenizerFromJson(sentencePiece({ post_processor }));
    expect(special.bos).toBe(1);
    expect(addBos).toBe(true);
    expect(tokenizerFromJson(sentencePiece()).addBos).toBe(false);
  });
});

describe('what cannot be read is refused by name', () => {
  const sequence = (type: string): Json => ({ type: 'Sequence', pretokenizers: [{ type }] });
  test.each<[string, string, unknown]>([
    ['unsupported', 'tokenizer.json.model.type is "WordPiece"', byteLevel({}, { type: 'WordPiece' })],
    ['unsupported', 'tokenizer.json.model.type is "Unigram"', byteLevel({}, { type: 'Unigram' })],
    ['unsupported', 'model.end_of_word_suffix is "</w>"', byteLevel({}, { end_of_word_suffix: '</w>' })],
    ['unsupported', 'model.dropout is 0.1', byteLevel({}, { dropout: 0.1 })],
    ['unsupported', 'normalizer.type is "Precompiled"', byteLevel({ normalizer: { type: 'Precompiled' } })],
    [
      'unsupported',
      'pretokenizers[0].type is "BertPreTokenizer"',
      byteLevel({ pre_tokenizer: sequence('BertPreTokenizer') }),
    ],
    ['unsupported', 'decoder.type is "WordPiece"', byteLevel({ decoder: { type: 'WordPiece' } })],
    ['unsupported', 'prepend_scheme is "sometimes"', sentencePiece(metaspace({ prepend_scheme: 'sometimes' }))],
    [
      'unsupported',
      'pre_tokenizer.behavior is "Shredded"',
      byteLevel({ pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Shredded' } }),
    ],
    [
      'unsupported',
      'the tokenizer\'s pattern "(?>a)"',
      byteLevel({ pre_tokenizer: { type: 'Split', pattern: { Regex: '(?>a)' }, behavior: 'Isolated' } }),
    ],
    ['bad-file', 'tokenizer.json is not an object', []],
    ['bad-file', 'tokenizer.json.model is not an object', {}],
    ['bad-file', 'tokenizer.json.model.vocab is not an object', byteLevel({}, { vocab: [] })],
    ['bad-file', 'tokenizer.json.model.merges is not an array', byteLevel({}, { merges: undefined })],
    ['bad-file', 'model.merges[0] is "a b c", not two tokens', byteLevel({}, { merges: ['a b c'] })],
    ['bad-file', 'merge 0 needs the token "ba"', byteLevel({}, { merges: ['b a'] })],
    ['bad-file', 'the token "x" has the id -1', byteLevel({}, { vocab: { x: -1 }, merges: [] })],
    ['bad-file', 'the token "x" has the id 1e+300', byteLevel({}, { vocab: { x: 1e300 }, merges: [] })],
    ['bad-file', '"x" and "y" both have the id 0', byteLevel({}, { vocab: { x: 0, y: 0 }, merges: [] })],
    ['bad-file', 'are both "a"', byteLevel({ added_tokens: [added(300, 'a')] })],
    ['bad-file', 'added_tokens[0].content is not a string', byteLevel({ added_tokens: [{ id: 1 }] })],
    ['bad-file', 'added_tokens[0].id is not a count', byteLevel({ added_tokens: [added(-1, 'x')] })],
  ])('%s: %s', (code, message, json) => {
    expect(() => tokenizerFromJson(json)).toThrow(expect.objectContaining({ code }));
    expect(() => tokenizerFromJson(json)).toThrow(message);
  });

  test('a configuration that is no object', () => {
    expect(() => tokenizerFromJson(byteLevel(), 'x')).toThrow('tokenizer_config.json is not an object');
  });
});

test.skipIf(!hasSmolLm2)('the vocabulary of SmolLM2 gives the same ids in both forms', async () => {
  const { metadata, tokenizer } = await readModel(SMOLLM2);
  const reader = new MetadataReader(metadata, SMOLLM2);
  const tokens = [...reader.strings('tokenizer.ggml.tokens')];
  const merges = [...reader.strings('tokenizer.ggml.merges')];
  const controls = tokens.slice(0, 17).map((content, id) => added(id, content));
  const pre_tokenizer = {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    ],
  };
  const json = tokenizerFromJson(
    byteLevel({ added_tokens: controls, pre_tokenizer }, { vocab: vocabularyOf(tokens), merges }),
  );
  const text = "<|im_start|>user\nIt's 12½  degrees — naïve, 漢字 😀!\r\n\t\tx = y1\n<|im_end|>";
  expect(json.encode(text, { special: 'parse' })).toEqual(tokenizer.encode(text, { special: 'parse' }));
});
