/** Descriptions of models that have metadata and tensor names, and no weights. */
import { memorySource } from '../../format/memory-source.ts';
import type { MetadataValue, StoredTensor } from '../../format/types.ts';
import type { ModelDescription } from '../architecture.ts';

const nothing = memorySource(new Uint8Array(), 'model.test');

export function tensorsNamed(names: readonly string[]): Map<string, StoredTensor> {
  return new Map(
    names.map((name) => [name, { name, type: 'F32', shape: [320, 64], offset: 0, byteLength: 0, source: nothing }]),
  );
}

const ggufLayer = [
  'attn_norm',
  'attn_q',
  'attn_k',
  'attn_v',
  'attn_output',
  'ffn_norm',
  'ffn_gate',
  'ffn_up',
  'ffn_down',
];
const configLayer = [
  'input_layernorm',
  'self_attn.q_proj',
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.o_proj',
  'post_attention_layernorm',
  'mlp.gate_proj',
  'mlp.up_proj',
  'mlp.down_proj',
];

/** Extra tensors of a layer, without the layer's own prefix. */
const ggufExtras: Readonly<Record<string, readonly string[]>> = {
  llama: [],
  qwen2: ['attn_q.bias', 'attn_k.bias', 'attn_v.bias'],
  qwen3: ['attn_q_norm.weight', 'attn_k_norm.weight'],
  gemma3: ['attn_q_norm.weight', 'attn_k_norm.weight', 'post_attention_norm.weight', 'post_ffw_norm.weight'],
};
const configExtras: Readonly<Record<string, readonly string[]>> = {
  llama: [],
  qwen2: ['self_attn.q_proj.bias', 'self_attn.k_proj.bias', 'self_attn.v_proj.bias'],
  qwen3: ['self_attn.q_norm.weight', 'self_attn.k_norm.weight'],
  gemma3_text: [
    'self_attn.q_norm.weight',
    'self_attn.k_norm.weight',
    'pre_feedforward_layernorm.weight',
    'post_feedforward_layernorm.weight',
  ],
};

function layerNames(prefix: string, layers: number, plain: readonly string[], extras: readonly string[]): string[] {
  const names = [...plain.map((name) => `${name}.weight`), ...extras];
  return Array.from({ length: layers }, (_, layer) => names.map((name) => `${prefix}${layer}.${name}`)).flat();
}

/** A GGUF file of a family with all its tensors; `metadata` has keys without the family's prefix. */
export function ggufModel(
  family: string,
  metadata: Readonly<Record<string, MetadataValue>>,
  more: { readonly layers?: number; readonly tensors?: readonly string[]; readonly ropeFactors?: Float32Array } = {},
): ModelDescription {
  const { layers = 6, tensors = [], ropeFactors } = more;
  const entries = Object.entries(metadata).map(([key, value]) => [`${family}.${key}`, value] as const);
  const names = layerNames('blk.', layers, ggufLayer, ggufExtras[family] ?? []);
  return {
    kind: 'gguf',
    file: 'model.gguf',
    metadata: new Map<string, MetadataValue>([['general.architecture', family], ...entries]),
    tensors: tensorsNamed(['token_embd.weight', 'output_norm.weight', ...names, ...tensors]),
    ...(ropeFactors && { ropeFactors }),
  };
}

/** A config.json with all tensors that a model of its type has. */
export function configModel(
  config: Readonly<Record<string, unknown>>,
  more: { readonly root?: string; readonly type?: string; readonly tensors?: readonly string[] } = {},
): ModelDescription {
  const { root = 'model.', type = String(config['model_type']), tensors = [] } = more;
  const names = layerNames(`${root}layers.`, 6, configLayer, configExtras[type] ?? []);
  return {
    kind: 'config',
    file: 'config.json',
    config,
    tensors: tensorsNamed([`${root}embed_tokens.weight`, `${root}norm.weight`, ...names, ...tensors]),
  };
}
