/** Tiny models in the layout of Hugging Face: the tensors of their GGUF files under other names and conventions. */
import { writeSafetensors } from '../../format/safetensors-write.ts';
import { collect } from '../../format/tensor-data.ts';
import type { TinyCase } from './tiny-cases.ts';
import { type TinyModel, type TinyTensor, tinyTensors } from './tiny-model.ts';
import { vocabularySize } from './tiny-vocabulary.ts';

export interface ConfigCase extends TinyCase {
  /** Members of config.json beside the sizes. */
  readonly config: Readonly<Record<string, unknown>>;
}

const small = {
  layers: 2,
  width: 64,
  heads: 4,
  kvHeads: 2,
  headSize: 32,
  hidden: 96,
  type: 'F32',
  tied: true,
} as const;
const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 256 };
const yarn = { factor: 8, original_max_position_embeddings: 4096 };

const cases: readonly { readonly model: TinyModel; readonly config: Readonly<Record<string, unknown>> }[] = [
  { model: { ...small, name: 'llama', family: 'llama', tied: false }, config: {} },
  {
    model: { ...small, name: 'llama 3', family: 'llama' },
    config: { rope_scaling: { rope_type: 'llama3', ...llama3 } },
  },
  {
    model: { ...small, name: 'llama, yarn with mscale', family: 'llama' },
    config: { rope_scaling: { rope_type: 'yarn', ...yarn, mscale: 0.5, mscale_all_dim: 1.2 } },
  },
  {
    model: { ...small, name: 'qwen2, yarn', family: 'qwen2', tied: false },
    config: { rope_scaling: { type: 'yarn', ...yarn } },
  },
  {
    model: { ...small, name: 'qwen2, windows', family: 'qwen2', layers: 3 },
    config: { use_sliding_window: true, sliding_window: 8, max_window_layers: 1 },
  },
  {
    model: { ...small, name: 'qwen3, linear', family: 'qwen3' },
    config: { rope_parameters: { rope_type: 'linear', factor: 4, rope_theta: 10_000 } },
  },
  {
    model: { ...small, name: 'gemma3', family: 'gemma3', layers: 7, kvHeads: 1 },
    config: { sliding_window: 8, query_pre_attn_scalar: 32, rope_scaling: { rope_type: 'linear', factor: 8 } },
  },
  {
    model: { ...small, name: 'gemma3, listed layers', family: 'gemma3', layers: 3 },
    config: {
      sliding_window: 12,
      query_pre_attn_scalar: 50,
      layer_types: ['full_attention', 'sliding_attention', 'full_attention'],
      rope_parameters: {
        full_attention: { rope_type: 'linear', factor: 2, rope_theta: 500_000 },
        sliding_attention: { rope_type: 'default', rope_theta: 5_000 },
      },
    },
  },
];

export const configCases: readonly ConfigCase[] = cases.map((one) => ({ ...one, length: 48 }));

/** The files of the directory. */
export async function tinyDirectory({ model, config }: ConfigCase): Promise<ReadonlyMap<string, Uint8Array | string>> {
  const type = model.family === 'gemma3' ? 'gemma3_text' : model.family;
  const sizes = {
    model_type: type,
    vocab_size: vocabularySize,
    hidden_size: model.width,
    intermediate_size: model.hidden,
    num_hidden_layers: model.layers,
    num_attention_heads: model.heads,
    num_key_value_heads: model.kvHeads,
    head_dim: model.headSize,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: model.tied,
  };
  const tensors = tinyTensors(model).map((tensor) => ({
    ...converted(model, tensor),
    name: configName(model, tensor.name),
  }));
  return new Map<string, Uint8Array | string>([
    ['config.json', JSON.stringify({ ...sizes, ...config })],
    ['tokenizer.json', JSON.stringify(tokenizer())],
    ['model.safetensors', await collect(writeSafetensors({ metadata: { format: 'pt' }, tensors }))],
  ]);
}

const layerNames: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

function configName({ family }: TinyModel, name: string): string {
  if (name === 'token_embd.weight') return 'model.embed_tokens.weight';
  if (name === 'output_norm.weight') return 'model.norm.weight';
  if (name === 'output.weight') return 'lm_head.weight';
  const [, layer, part = '', kind] = name.split('.');
  const norms: Readonly<Record<string, string>> =
    family === 'gemma3'
      ? {
          post_attention_norm: 'post_attention_layernorm',
          ffn_norm: 'pre_feedforward_layernorm',
          post_ffw_norm: 'post_feedforward_layernorm',
        }
      : { ffn_norm: 'post_attention_layernorm' };
  return `model.layers.${layer}.${layerNames[part] ?? norms[part]}.${kind}`;
}

/** Undoes what converters to GGUF do: Llama's pairs made neighbours, and 1 added to Gemma's norms. */
function converted(model: TinyModel, tensor: TinyTensor): TinyTensor {
  const values = new Float32Array(tensor.data.buffer);
  if (model.family === 'gemma3' && tensor.name.endsWith('norm.weight')) {
    return { ...tensor, data: new Uint8Array(values.map((value) => value - 1).buffer) };
  }
  if (model.family !== 'llama' || !/attn_[qk]\./.test(tensor.name)) return tensor;
  const { headSize: d } = model;
  const [rows = 0, columns = 1] = tensor.shape;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const channel = row % d;
    const to = row - channel + (channel % 2) * (d / 2) + (channel >> 1);
    out.set(values.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return { ...tensor, data: new Uint8Array(out.buffer) };
}

/** Any tokens of the right number: nothing is encoded with them. */
function tokenizer(): object {
  const vocab = Object.fromEntries(Array.from({ length: vocabularySize }, (_, id) => [`token${id}`, id]));
  return { model: { type: 'BPE', vocab, merges: [] }, pre_tokenizer: null, normalizer: null, decoder: null };
}
