/** The names that weight files give to the tensors of a llama-like transformer. */
import { LociError } from '../errors.ts';
import type { Architecture, LayerTensors, ModelDescription } from './architecture.ts';

/** Which optional tensors a family's layers have. */
export interface LayerParts {
  readonly biases?: boolean;
  readonly headNorms?: boolean;
  readonly postNorms?: boolean;
}

export interface TensorNames extends Pick<Architecture, 'embedding' | 'outputNorm' | 'output' | 'vocabulary'> {
  readonly layers: readonly LayerTensors[];
}

/**
 * Names of all tensors of a model with `layers` layers. Without an output matrix of its own the head is the embedding.
 * @throws LociError `bad-file` when there is no embedding or there cannot be so many layers, `unsupported` when a layer
 * holds tensors that the family does not have: leaving them out would give another model.
 */
export function tensorNames(model: ModelDescription, layers: number, parts: LayerParts): TensorNames {
  const { file, tensors } = model;
  const root = model.kind === 'gguf' ? '' : configRoot(model);
  const [embedding, outputNorm] =
    model.kind === 'gguf'
      ? ['token_embd.weight', 'output_norm.weight']
      : [`${root}embed_tokens.weight`, `${root}norm.weight`];
  const vocabulary = tensors.get(embedding)?.shape[0];
  if (vocabulary === undefined) {
    throw new LociError('bad-file', `${file}: there is no tensor "${embedding}"; is this a whole language model?`);
  }
  if (layers > tensors.size) {
    throw new LociError('bad-file', `${file}: there are ${tensors.size} tensors, too few for ${layers} layers`);
  }
  const prefix = model.kind === 'gguf' ? 'blk.' : `${root}layers.`;
  const names = Array.from({ length: layers }, (_, layer) =>
    model.kind === 'gguf' ? ggufLayer(`${prefix}${layer}`, parts) : configLayer(`${prefix}${layer}`, parts),
  );
  refuseForeign(model, prefix, names);
  return { embedding, outputNorm, output: outputName(model) ?? embedding, vocabulary, layers: names };
}

/** Text models stand at the top; inside models that also see, the place has changed over time. */
function configRoot(model: ModelDescription): string {
  const roots = ['model.', 'model.language_model.', 'language_model.model.', ''];
  return roots.find((root) => model.tensors.has(`${root}embed_tokens.weight`)) ?? 'model.';
}

function outputName(model: ModelDescription): string | undefined {
  if (model.kind === 'config' && model.config['tie_word_embeddings'] === true) return undefined;
  const names = model.kind === 'gguf' ? ['output.weight'] : ['lm_head.weight', 'language_model.lm_head.weight'];
  return names.find((name) => model.tensors.has(name));
}

function ggufLayer(at: string, parts: LayerParts): LayerTensors {
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

function configLayer(at: string, parts: LayerParts): LayerTensors {
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

/** Tables of rotations, which older converters stored though they follow from the metadata. */
const derived = /\.(attn_rot_embd\.weight|self_attn\.rotary_emb\.inv_freq)$/;

function refuseForeign(model: ModelDescription, prefix: string, layers: readonly LayerTensors[]): void {
  const known = new Set<string>(layers.flatMap((layer) => Object.values(layer)));
  for (const name of model.tensors.keys()) {
    if (!name.startsWith(prefix) || known.has(name) || derived.test(name)) continue;
    const layer = Number.parseInt(name.slice(prefix.length), 10);
    if (!(layer < layers.length)) continue;
    throw new LociError(
      'unsupported',
      `${model.file}: tensor "${name}" is not part of the family's layers as Loci knows them: this variant is not supported`,
    );
  }
}
