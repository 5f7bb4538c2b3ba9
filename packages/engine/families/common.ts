/** What the families of this folder share: the same transformer with the same metadata keys and tensor names. */
import { LociError } from '../errors.ts';
import type { Architecture, LayerShape, LayerTensors, ModelDescription } from './architecture.ts';
import { type Numbers, numbersOf } from './numbers.ts';
import { rotation } from './rotation.ts';

/** Dimensions that every family of this kind has under the same keys. */
export interface Dimensions {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly hidden: number;
  readonly contextLength: number;
  readonly normEpsilon: number;
  readonly rotated: number;
}

export function dimensions(model: ModelDescription, numbers: Numbers): Dimensions {
  const whole = (gguf: string, config: string, fallback?: number): number => {
    const value = numbers.uniform({ gguf, config }, fallback);
    if (!Number.isInteger(value) || value < 1 || value > 2 ** 24) {
      const key = model.kind === 'gguf' ? gguf : config;
      throw new LociError('bad-file', `${model.file}: "${key}" is ${value}, not a size`);
    }
    return value;
  };
  const width = whole('embedding_length', 'hidden_size');
  const heads = whole('attention.head_count', 'num_attention_heads');
  const kvHeads = whole('attention.head_count_kv', 'num_key_value_heads', heads);
  const headSize = whole('attention.key_length', 'head_dim', width / heads);
  if (heads % kvHeads !== 0) {
    throw new LociError(
      'bad-file',
      `${model.file}: ${heads} query heads cannot share ${kvHeads} key/value heads evenly`,
    );
  }
  return {
    layers: whole('block_count', 'num_hidden_layers'),
    width,
    heads,
    kvHeads,
    headSize,
    hidden: whole('feed_forward_length', 'intermediate_size'),
    contextLength: whole('context_length', 'max_position_embeddings'),
    normEpsilon: numbers.number({ gguf: 'attention.layer_norm_rms_epsilon', config: 'rms_norm_eps' }),
    rotated: whole('rope.dimension_count', 'head_dim', headSize),
  };
}

/** Which optional tensors a family's layers have. */
export interface LayerParts {
  readonly biases?: boolean;
  readonly headNorms?: boolean;
  readonly postNorms?: boolean;
}

/** Tensor names of one layer. */
export function layerTensors(kind: ModelDescription['kind'], layer: number, parts: LayerParts): LayerTensors {
  if (kind === 'gguf') {
    const at = `blk.${layer}`;
    return {
      attentionNorm: `${at}.attn_norm.weight`,
      q: `${at}.attn_q.weight`,
      k: `${at}.attn_k.weight`,
      v: `${at}.attn_v.weight`,
      o: `${at}.attn_output.weight`,
      ffnNorm: `${at}.ffn_norm.weight`,
      gate: `${at}.ffn_gate.weight`,
      up: `${at}.ffn_up.weight`,
      down: `${at}.ffn_down.weight`,
      ...(parts.biases && { qBias: `${at}.attn_q.bias`, kBias: `${at}.attn_k.bias`, vBias: `${at}.attn_v.bias` }),
      ...(parts.headNorms && { qNorm: `${at}.attn_q_norm.weight`, kNorm: `${at}.attn_k_norm.weight` }),
      ...(parts.postNorms && {
        attentionPostNorm: `${at}.post_attention_norm.weight`,
        ffnPostNorm: `${at}.post_ffw_norm.weight`,
      }),
    };
  }
  const at = `model.layers.${layer}`;
  return {
    attentionNorm: `${at}.input_layernorm.weight`,
    q: `${at}.self_attn.q_proj.weight`,
    k: `${at}.self_attn.k_proj.weight`,
    v: `${at}.self_attn.v_proj.weight`,
    o: `${at}.self_attn.o_proj.weight`,
    gate: `${at}.mlp.gate_proj.weight`,
    up: `${at}.mlp.up_proj.weight`,
    down: `${at}.mlp.down_proj.weight`,
    ...(parts.biases && {
      qBias: `${at}.self_attn.q_proj.bias`,
      kBias: `${at}.self_attn.k_proj.bias`,
      vBias: `${at}.self_attn.v_proj.bias`,
    }),
    ...(parts.headNorms && { qNorm: `${at}.self_attn.q_norm.weight`, kNorm: `${at}.self_attn.k_norm.weight` }),
    // Hugging Face names the norm after attention "post" in every family, also where it stands before the feed-forward.
    ...(parts.postNorms
      ? {
          attentionPostNorm: `${at}.post_attention_layernorm.weight`,
          ffnNorm: `${at}.pre_feedforward_layernorm.weight`,
          ffnPostNorm: `${at}.post_feedforward_layernorm.weight`,
        }
      : { ffnNorm: `${at}.post_attention_layernorm.weight` }),
  };
}

/** Names of the tensors outside the layers; without an output matrix of its own the head is the embedding. */
export function outerTensors(
  model: ModelDescription,
): Pick<Architecture, 'embedding' | 'outputNorm' | 'output' | 'vocabulary'> {
  const [embedding, outputNorm, output] =
    model.kind === 'gguf'
      ? ['token_embd.weight', 'output_norm.weight', 'output.weight']
      : ['model.embed_tokens.weight', 'model.norm.weight', 'lm_head.weight'];
  const table = model.tensors.get(embedding);
  const vocabulary = table?.shape[0];
  if (vocabulary === undefined) {
    throw new LociError(
      'bad-file',
      `${model.file}: there is no tensor "${embedding}"; is this a whole language model?`,
    );
  }
  return { embedding, outputNorm, output: model.tensors.has(output) ? output : embedding, vocabulary };
}

/** A llama-like architecture: every layer alike, rotation over the whole context. */
export function uniformArchitecture(
  model: ModelDescription,
  family: string,
  prefix: string,
  parts: LayerParts,
  pairs: Architecture['pairs'],
): Architecture {
  const numbers = numbersOf(model, prefix);
  const { layers, ...sizes } = dimensions(model, numbers);
  const { frequencies, factor } = rotation(model, numbers, sizes);
  const layer = (index: number): LayerShape => ({
    tensors: layerTensors(model.kind, index, parts),
    window: 0,
    frequencies,
    rotationFactor: factor,
  });
  return {
    family,
    ...sizes,
    ...outerTensors(model),
    normOffset: 0,
    embedFactor: 1,
    attentionScale: 1 / Math.sqrt(sizes.headSize),
    activation: 'silu',
    pairs,
    layers: Array.from({ length: layers }, (_, index) => layer(index)),
  };
}
