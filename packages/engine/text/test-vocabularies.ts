/** Vocabularies small enough to check by hand, for the tests of this folder. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readGguf } from '../format/gguf-read.ts';
import type { MetadataValue } from '../format/types.ts';
import { openFile } from '../platform/node-file.ts';
import { tokenizerFromGguf } from './from-gguf.ts';
import type { Tokenizer } from './types.ts';

const root = new URL('../../../', import.meta.url);
export const SMOLLM2 = fileURLToPath(new URL('models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf', root));
export const GEMMA3 = process.env['LOCI_GEMMA3'] ?? '';
export const hasSmolLm2 = existsSync(SMOLLM2);
export const hasGemma3 = existsSync(GEMMA3);

export async function readModel(
  path: string,
): Promise<{ metadata: ReadonlyMap<string, MetadataValue>; tokenizer: Tokenizer }> {
  const source = await openFile(path);
  try {
    const { metadata } = await readGguf(source);
    return { metadata, tokenizer: tokenizerFromGguf(metadata, path) };
  } finally {
    await source.close();
  }
}

/** GPT-2's way to write bytes: those that print stand for themselves, the others follow from U+0100. */
export function byteAlphabet(): string[] {
  const ranges = [
    [0x21, 0x7e],
    [0xa1, 0xac],
    [0xae, 0xff],
  ];
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = ranges.some(([from = 0, to = 0]) => byte >= from && byte <= to);
    return String.fromCodePoint(prints ? byte : next++);
  });
}

export interface TinyByteLevel {
  readonly merges?: readonly string[];
  readonly controls?: readonly string[];
  readonly pre?: string;
}

/** Ids 0 … 255 are bytes, then one token per merge, then the control tokens. */
export function byteLevelMetadata({
  merges = [],
  controls = [],
  pre = 'gpt-2',
}: TinyByteLevel): Map<string, MetadataValue> {
  const tokens = [...byteAlphabet(), ...new Set(merges.map((merge) => merge.replace(' ', ''))), ...controls];
  const types = tokens.map((_, id) => (id >= tokens.length - controls.length ? 3 : 1));
  return new Map<string, MetadataValue>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', pre],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', types],
    ['tokenizer.ggml.merges', [...merges]],
  ]);
}

/** `<unk>`, `<s>`, `</s>`, 256 byte tokens, then the pieces, the first with the best score. */
export function sentencePieceMetadata(
  pieces: readonly string[],
  settings: Readonly<Record<string, MetadataValue>> = {},
): Map<string, MetadataValue> {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, ...pieces];
  return new Map<string, MetadataValue>([
    ['tokenizer.ggml.model', 'llama'],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.scores', Float32Array.from(tokens, (_, id) => (id < 259 ? 0 : 259 - id))],
    ['tokenizer.ggml.token_type', Int32Array.from(tokens, (_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1))],
    ...Object.entries(settings).map(([key, value]): [string, MetadataValue] => [`tokenizer.ggml.${key}`, value]),
  ]);
}
