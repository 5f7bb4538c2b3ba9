/** Small models with random weights, the same bytes on every machine, for comparison with other programs. */
import { blockShapes } from '../../format/block-types.ts';
import type { GgufValue } from '../../format/gguf-types.ts';
import { writeGguf } from '../../format/gguf-write.ts';
import { floatToHalf } from '../../format/half.ts';
import { quantize } from '../../format/quantize.ts';
import { collect, type TensorData } from '../../format/tensor-data.ts';
import type { TensorType } from '../../format/types.ts';
import { SeededRandom } from './random.ts';
import { byteLevelVocabulary, sentencePieceVocabulary, vocabularySize } from './tiny-vocabulary.ts';

export interface TinyModel {
  readonly name: string;
  readonly family: 'llama' | 'qwen2' | 'qwen3' | 'gemma3';
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly hidden: number;
  readonly tied: boolean;
  /** Of all matrices. */
  readonly type: TensorType;
  readonly biases?: boolean;
  /** `rope_freqs.weight` */
  readonly ropeFactors?: readonly number[];
  /** Further metadata, keys without the family's prefix. */
  readonly metadata?: Readonly<Record<string, GgufValue>>;
}

export interface TinyTensor extends TensorData {
  readonly data: Uint8Array<ArrayBuffer>;
}

/** The GGUF file of a model. */
export function tinyModel(model: TinyModel): Promise<Uint8Array> {
  return collect(writeGguf({ values: metadata(model), tensors: tinyTensors(model) }));
}

function metadata(model: TinyModel): readonly (readonly [string, GgufValue])[] {
  const { family } = model;
  const u32 = (key: string, value: number) => [`${family}.${key}`, { type: 'u32', value }] as const;
  const f32 = (key: string, value: number) => [`${family}.${key}`, { type: 'f32', value }] as const;
  return [
    ['general.architecture', { type: 'string', value: family }],
    ['general.name', { type: 'string', value: model.name }],
    u32('block_count', model.layers),
    u32('context_length', 512),
    u32('embedding_length', model.width),
    u32('feed_forward_length', model.hidden),
    u32('attention.head_count', model.heads),
    u32('attention.head_count_kv', model.kvHeads),
    u32('attention.key_length', model.headSize),
    u32('attention.value_length', model.headSize),
    f32('attention.layer_norm_rms_epsilon', 1e-5),
    f32('rope.freq_base', family === 'gemma3' ? 1_000_000 : 10_000),
    ...Object.entries(model.metadata ?? {}).map(([key, value]) => [`${family}.${key}`, value] as const),
    ...(family === 'llama' || family === 'gemma3' ? sentencePieceVocabulary() : byteLevelVocabulary()),
  ];
}

/** Its tensors, under the names and in the order of GGUF. */
export function tinyTensors(model: TinyModel): readonly TinyTensor[] {
  const { family, width, heads, kvHeads, headSize, hidden } = model;
  const random = (name: string) => new SeededRandom(`${model.name}/${name}`);
  const matrix = (name: string, rows: number, columns: number, deviation = 1 / Math.sqrt(columns)): TinyTensor => ({
    name,
    type: model.type,
    shape: [rows, columns],
    data: randomBlocks(model.type, rows * columns, deviation, random(name)),
  });
  const vector = (name: string, length: number, deviation: number, mean: number): TinyTensor => ({
    name,
    type: 'F32',
    shape: [length],
    data: quantize('F32', random(name).floats(length, deviation, mean)),
  });
  const norm = (name: string, length: number, mean = 1) => vector(name, length, 0.2, mean);
  // Scores of a few units, so that attention prefers some keys and a wrong rotation shows; less where activations are
  // rounded, since a softmax that prefers a single key turns their noise into other text.
  const sharpness = model.type === 'F32' ? 2 : 1;
  const layer = (at: string): readonly TinyTensor[] => [
    norm(`${at}.attn_norm.weight`, width),
    matrix(`${at}.attn_q.weight`, heads * headSize, width, sharpness / Math.sqrt(width)),
    matrix(`${at}.attn_k.weight`, kvHeads * headSize, width, sharpness / Math.sqrt(width)),
    matrix(`${at}.attn_v.weight`, kvHeads * headSize, width),
    matrix(`${at}.attn_output.weight`, width, heads * headSize),
    ...(family === 'qwen2' || model.biases
      ? [
          vector(`${at}.attn_q.bias`, heads * headSize, 0.7, 0),
          vector(`${at}.attn_k.bias`, kvHeads * headSize, 0.7, 0),
          vector(`${at}.attn_v.bias`, kvHeads * headSize, 0.7, 0),
        ]
      : []),
    ...(family === 'qwen3' || family === 'gemma3'
      ? [
          norm(`${at}.attn_q_norm.weight`, headSize, 0.85 * sharpness),
          norm(`${at}.attn_k_norm.weight`, headSize, 0.85 * sharpness),
        ]
      : []),
    ...(family === 'gemma3'
      ? [norm(`${at}.post_attention_norm.weight`, width), norm(`${at}.post_ffw_norm.weight`, width)]
      : []),
    norm(`${at}.ffn_norm.weight`, width),
    matrix(`${at}.ffn_gate.weight`, hidden, width),
    matrix(`${at}.ffn_up.weight`, hidden, width),
    matrix(`${at}.ffn_down.weight`, width, hidden),
  ];
  return [
    matrix('token_embd.weight', vocabularySize, width, 1.5 / Math.sqrt(width)),
    norm('output_norm.weight', width),
    ...(model.tied ? [] : [matrix('output.weight', vocabularySize, width, 1.5 / Math.sqrt(width))]),
    ...(model.ropeFactors
      ? [
          {
            name: 'rope_freqs.weight',
            type: 'F32' as const,
            shape: [model.ropeFactors.length],
            data: quantize('F32', Float32Array.from(model.ropeFactors)),
          },
        ]
      : []),
    ...Array.from({ length: model.layers }, (_, i) => layer(`blk.${i}`)).flat(),
  ];
}

/** Where a block holds its half-precision scale and minimum, and what they are for values of deviation 1 and mean 0. */
const scales: Partial<Record<TensorType, readonly { readonly at: number; readonly value: number }[]>> = {
  IQ4_NL: [{ at: 0, value: 1 / 70 }],
  Q2_K: [
    { at: 80, value: 1 / 12 },
    { at: 82, value: 1.5 / 12 },
  ],
  Q3_K: [{ at: 108, value: 1 / 43 }],
  Q5_K: [
    { at: 0, value: 1 / 527 },
    { at: 2, value: 15.5 / 527 },
  ],
};

/** Random floats in the format of `type`; for formats that are only read, random bits with scales that suit them. */
function randomBlocks(
  type: TensorType,
  count: number,
  deviation: number,
  random: SeededRandom,
): Uint8Array<ArrayBuffer> {
  const halves = scales[type];
  if (!halves) return quantize(type, random.floats(count, deviation));
  const { elements, bytes } = blockShapes[type];
  const out = random.bytes((count / elements) * bytes);
  const view = new DataView(out.buffer);
  for (let at = 0; at < out.length; at += bytes) {
    for (const half of halves) view.setUint16(at + half.at, floatToHalf(half.value * deviation), true);
  }
  return out;
}
