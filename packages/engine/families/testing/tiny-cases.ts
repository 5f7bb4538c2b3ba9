/** The models of the comparison with llama.cpp, and what each is asked. */
import type { GgufValue } from '../../format/gguf-types.ts';
import type { TensorType } from '../../format/types.ts';
import { rotationOf } from '../rotation.ts';
import { SeededRandom } from './random.ts';
import type { TinyModel } from './tiny-model.ts';
import { firstOrdinaryId, vocabularySize } from './tiny-vocabulary.ts';

export interface TinyCase {
  readonly model: TinyModel;
  /** Tokens of the prompt. */
  readonly length: number;
}

const f32 = (value: number): GgufValue => ({ type: 'f32', value });
const u32 = (value: number): GgufValue => ({ type: 'u32', value });
const text = (value: string): GgufValue => ({ type: 'string', value });

const small = {
  layers: 2,
  width: 64,
  heads: 4,
  kvHeads: 2,
  headSize: 16,
  hidden: 96,
  type: 'F32',
  tied: true,
} as const;
/** For formats with blocks of 256 elements. */
const wide = { layers: 2, width: 256, heads: 4, kvHeads: 2, headSize: 64, hidden: 256, tied: false } as const;

const yarn = {
  'rope.scaling.type': text('yarn'),
  'rope.scaling.factor': f32(8),
  'rope.scaling.original_context_length': u32(4096),
};

/** What converters store for a Llama 3 with this shape, made as they make it. */
function llama3Factors(headSize: number): readonly number[] {
  const plain = rotationOf({ theta: 10_000, scaling: { kind: 'none' } }, headSize).frequencies;
  const scaling = { kind: 'llama3', factor: 8, low: 1, high: 4, original: 256 } as const;
  const scaled = rotationOf({ theta: 10_000, scaling }, headSize).frequencies;
  return Array.from(plain, (frequency, j) => Math.fround(frequency / (scaled[j] ?? Number.NaN)));
}

const floatModels: readonly TinyModel[] = [
  { ...small, name: 'llama', family: 'llama' },
  { ...small, name: 'llama, head of its own', family: 'llama', heads: 3, kvHeads: 1, headSize: 32, tied: false },
  { ...small, name: 'llama, biases', family: 'llama', biases: true },
  { ...small, name: 'llama, rope_freqs', family: 'llama', headSize: 32, ropeFactors: llama3Factors(32) },
  {
    ...small,
    name: 'llama, linear under the older name',
    family: 'llama',
    metadata: { 'rope.scale_linear': f32(4) },
  },
  { ...small, name: 'llama, yarn', family: 'llama', headSize: 32, metadata: yarn },
  {
    ...small,
    name: 'llama, yarn with attn_factor',
    family: 'llama',
    headSize: 32,
    metadata: { ...yarn, 'rope.scaling.attn_factor': f32(0.7) },
  },
  {
    ...small,
    name: 'llama, yarn and rope_freqs',
    family: 'llama',
    headSize: 32,
    metadata: yarn,
    ropeFactors: llama3Factors(32),
  },
  { ...small, name: 'qwen2', family: 'qwen2', kvHeads: 1, tied: false },
  { ...small, name: 'qwen2, yarn', family: 'qwen2', heads: 2, kvHeads: 1, headSize: 32, metadata: yarn },
  { ...small, name: 'qwen3', family: 'qwen3', headSize: 32 },
  {
    ...small,
    name: 'gemma3',
    family: 'gemma3',
    layers: 7,
    kvHeads: 1,
    headSize: 32,
    metadata: { 'attention.sliding_window': u32(8) },
  },
  {
    ...small,
    name: 'gemma3, linear, other pattern',
    family: 'gemma3',
    layers: 4,
    headSize: 32,
    metadata: {
      'attention.sliding_window': u32(12),
      'attention.sliding_window_pattern': u32(2),
      'rope.freq_base_swa': f32(5_000),
      'rope.scaling.type': text('linear'),
      'rope.scaling.factor': f32(8),
    },
  },
  {
    ...small,
    name: 'gemma3, no window',
    family: 'gemma3',
  },
];

const smallBlocks: readonly TensorType[] = ['F16', 'BF16', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'IQ4_NL'];
const wideBlocks: readonly TensorType[] = ['Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K'];
const families = ['llama', 'qwen2', 'qwen3', 'gemma3'] as const;
const windowed = { 'attention.sliding_window': u32(16) };

const quantised = (type: TensorType, i: number, shape: typeof small | typeof wide): TinyModel => {
  const family = families[i % families.length] ?? 'llama';
  const model = { ...shape, name: `${family} in ${type}`, family, type };
  return family === 'gemma3' ? { ...model, metadata: windowed } : model;
};

const caseOf = (model: TinyModel): TinyCase => ({ model, length: 48 });

/** Matrices in float32: every family and every rotation. */
export const floatCases: readonly TinyCase[] = floatModels.map(caseOf);

/** Every other format, in the families by turns. */
export const quantisedCases: readonly TinyCase[] = [
  ...smallBlocks.map((type, i) => quantised(type, i, small)),
  ...wideBlocks.map((type, i) => quantised(type, i, wide)),
].map(caseOf);

/** The prompt of a case: ids that are no control tokens. */
export function promptOf({ model, length }: TinyCase): readonly number[] {
  const random = new SeededRandom(`${model.name}/prompt`);
  return Array.from({ length }, () => firstOrdinaryId + random.below(vocabularySize - firstOrdinaryId));
}

/** Places of the prompt whose next token is judged: half way, and the last. */
export function judgedPositions({ length }: TinyCase): readonly number[] {
  return [length / 2 - 1, length - 1];
}

/** Every fourth id: what the recorded files keep of a row of log-probabilities. */
export function judgedOf(logits: ArrayLike<number>): readonly number[] {
  const all = Array.from(logits);
  const top = Math.max(...all);
  const sum = Math.log(all.reduce((total, logit) => total + Math.exp(logit - top), 0)) + top;
  return all.filter((_, id) => id % 4 === 0).map((logit) => logit - sum);
}
