import type { Step } from './pretokenize.ts';
import { translateRegex } from './regex.ts';

/** How a family of byte-level vocabularies cuts text into words. Patterns are those of the models' tokenizer.json. */
export interface Pretokenizer {
  /** Each pattern cuts the pieces that the one before left. */
  readonly patterns: readonly string[];
  /** A word that is a token is that token, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
  /** What holds when the file does not say. */
  readonly addBos: boolean;
}

const ANY_CASE_CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const BLANKS = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const PUNCTUATION = ' ?[^\\s\\p{L}\\p{N}]+';
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const BEFORE_WORD = '[^\\r\\n\\p{L}\\p{N}]?';

/** Radford et al. 2019; also what `use_regex` of the ByteLevel pre-tokenizer means. */
export const GPT2_PATTERN = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|${PUNCTUATION}|\\s+(?!\\S)|\\s+`;

const cl100k = (digits: string): string =>
  `${ANY_CASE_CONTRACTION}|${BEFORE_WORD}\\p{L}+|${digits}|${PUNCTUATION}[\\r\\n]*|${BLANKS}`;

/** Capital letters begin a word. `contraction` stands at the end of a word. */
const cased = (contraction: string, digits: string): string =>
  [
    `${BEFORE_WORD}${UPPER}*${LOWER}+${contraction}`,
    `${BEFORE_WORD}${UPPER}+${LOWER}*${contraction}`,
    digits,
    `${PUNCTUATION}[\\r\\n/]*`,
    BLANKS,
  ].join('|');

const PLAIN = { ignoreMerges: false, addBos: false };
const GPT2: Pretokenizer = { patterns: [GPT2_PATTERN], ...PLAIN };
const SINGLE_DIGITS: Pretokenizer = { patterns: ['\\p{N}', GPT2_PATTERN], ...PLAIN };
const CL100K: Pretokenizer = { patterns: [cl100k('\\p{N}{1,3}')], ...PLAIN };
const LLAMA3: Pretokenizer = { ...CL100K, ignoreMerges: true, addBos: true };
const QWEN2: Pretokenizer = { patterns: [cl100k('\\p{N}')], ...PLAIN };
const QWEN35: Pretokenizer = {
  patterns: [
    `${ANY_CASE_CONTRACTION}|${BEFORE_WORD}[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${BLANKS}`,
  ],
  ...PLAIN,
};
const O200K: Pretokenizer = { patterns: [cased(`${ANY_CASE_CONTRACTION}?`, '\\p{N}{1,3}')], ...PLAIN };
const TEKKEN: Pretokenizer = { patterns: [cased('', '\\p{N}')], ignoreMerges: true, addBos: true };
const DEEPSEEK3: Pretokenizer = {
  patterns: [
    '\\p{N}{1,3}',
    '[一-龥぀-ゟ゠-ヿ]+',
    `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${BLANKS}`,
  ],
  ...PLAIN,
};
const DEEPSEEK_CODER: Pretokenizer = {
  patterns: ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', '[一-龥ࠀ-一가-퟿]+', '\\p{N}'],
  ...PLAIN,
};
const FALCON: Pretokenizer = { patterns: ['[\\p{P}$+<=>^~|`]+', GPT2_PATTERN, '[0-9][0-9][0-9]'], ...PLAIN };
const DEFAULT: Pretokenizer = {
  patterns: ['[\\p{P}$+<=>^~|]+', GPT2_PATTERN, '\\p{N}+', '[0-9][0-9][0-9]'],
  ...PLAIN,
};

/** By the value of `tokenizer.ggml.pre`; a file without it means `default`. */
const PRETOKENIZERS: ReadonlyMap<string, Pretokenizer> = new Map([
  ...named(
    GPT2,
    'gpt-2',
    'phi-2',
    'mpt',
    'olmo',
    'jais',
    'trillion',
    'exaone4',
    'granite-docling',
    'gigachat',
    'mellum',
  ),
  ...named(SINGLE_DIGITS, 'smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'),
  ...named(LLAMA3, 'llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'pixtral', 'midm-2.0', 'lfm2'),
  ...named(CL100K, 'dbrx', 'smaug-bpe', 'glm4', 'chatglm-bpe'),
  ...named(QWEN2, 'qwen2', 'deepseek-r1-qwen', 'stablelm2', 'hunyuan', 'megrez', 'kormo', 'solar-open', 'grok-2'),
  ...named(QWEN35, 'qwen35'),
  ...named(O200K, 'gpt-4o', 'llama4', 'kanana2', 'minimax-m2'),
  ...named(TEKKEN, 'tekken'),
  ...named(DEEPSEEK3, 'deepseek-v3', 'hunyuan-dense', 'joyai-llm'),
  ...named(DEEPSEEK_CODER, 'deepseek-coder'),
  ...named(FALCON, 'falcon'),
  ...named(DEFAULT, 'default'),
]);

function named(pretokenizer: Pretokenizer, ...names: string[]): [string, Pretokenizer][] {
  return names.map((name) => [name, pretokenizer]);
}

export function findPretokenizer(name: string): Pretokenizer | undefined {
  return PRETOKENIZERS.get(name);
}

export function splitSteps(patterns: readonly string[]): Step[] {
  return patterns.map((pattern) => ({ kind: 'split', pattern: translateRegex(pattern), behavior: 'isolated' }));
}
