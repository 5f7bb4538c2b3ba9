/** Vocabularies of 286 tokens: enough for other programs to accept the file. */
import type { GgufValue } from '../../format/gguf-types.ts';

export const vocabularySize = 286;
/** Ids below it may be control tokens. */
export const firstOrdinaryId = 3;

type Entries = readonly (readonly [string, GgufValue])[];

const letters = Array.from('abcdefghijklmnopqrstuvwxyz');
const strings = (value: readonly string[]): GgufValue => ({ type: 'array', of: 'string', value });
const id = (value: number): GgufValue => ({ type: 'u32', value });

/** SentencePiece: three control tokens, the bytes, a space mark and the letters. */
export function sentencePieceVocabulary(): Entries {
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, '▁', ...letters];
  const types = tokens.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1));
  return [
    ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
    ['tokenizer.ggml.tokens', strings(tokens)],
    ['tokenizer.ggml.scores', { type: 'array', of: 'f32', value: tokens.map((_, i) => (i < 259 ? 0 : 258 - i)) }],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'i32', value: types }],
    ['tokenizer.ggml.bos_token_id', id(1)],
    ['tokenizer.ggml.eos_token_id', id(2)],
    ['tokenizer.ggml.unknown_token_id', id(0)],
  ];
}

/** Byte-level BPE: three control tokens, the bytes in GPT-2's alphabet, and a space merged with each letter. */
export function byteLevelVocabulary(): Entries {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  let hidden = 0;
  const alphabet = Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : 256 + hidden++));
  const pairs = [...letters.map((letter) => ['Ġ', letter] as const), ['t', 'h'] as const];
  const tokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', ...alphabet, ...pairs.map(([a, b]) => a + b)];
  return [
    ['tokenizer.ggml.model', { type: 'string', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { type: 'string', value: 'qwen2' }],
    ['tokenizer.ggml.tokens', strings(tokens)],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'i32', value: tokens.map((_, i) => (i < 3 ? 3 : 1)) }],
    ['tokenizer.ggml.merges', strings(pairs.map(([a, b]) => `${a} ${b}`))],
    ['tokenizer.ggml.eos_token_id', id(2)],
  ];
}
