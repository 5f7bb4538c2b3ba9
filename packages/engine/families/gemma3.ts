/** Gemma 3, the text part: windows in most layers, norms after each block, and a larger rotary base where all is seen. */
import { LociError } from '../errors.ts';
import type { Architecture, Family, ModelDescription } from './architecture.ts';
import { checkActivation, type Defaults, dimensions } from './common.ts';
import { type MetadataKey, type Numbers, numbersOf } from './numbers.ts';
import { localRopeSettings, ropeSettings } from './rope-settings.ts';
import { rotationOf } from './rotation.ts';
import { tensorNames } from './tensor-names.ts';
import { listedAsWindowed } from './windows.ts';

export const gemma3: Family = {
  names: ['gemma3', 'gemma3_text'],
  architecture: (model) => textArchitecture(textPart(model)),
};

/** What the config.json of models that also see leaves out (`Gemma3TextConfig` of transformers). */
const configDefaults: Defaults = { heads: 8, kvHeads: 4, headSize: 256, contextLength: 131_072, normEpsilon: 1e-6 };

const windowKey: MetadataKey = { gguf: 'attention.sliding_window', config: 'sliding_window' };
const patternKey: MetadataKey = { gguf: 'attention.sliding_window_pattern', config: 'sliding_window_pattern' };

function textArchitecture(model: ModelDescription): Architecture {
  const numbers = numbersOf(model, 'gemma3');
  const { layers, ...sizes } = dimensions(numbers, model.kind === 'config' ? configDefaults : {});
  checkActivation(model, numbers, 'hidden_activation', 'gelu_pytorch_tanh');
  refuseVariants(numbers);
  const { layers: tensors, ...outer } = tensorNames(model, layers, { headNorms: true, postNorms: true });
  const globalTheta = model.kind === 'gguf' ? 10_000 : 1_000_000;
  const global = rotationOf(ropeSettings(model, numbers, { ...sizes, theta: globalTheta }), sizes.rotated);
  const local = rotationOf(localRopeSettings(model, numbers, { ...sizes, theta: 10_000 }), sizes.rotated);
  return {
    family: 'gemma3',
    ...sizes,
    ...outer,
    // Norm weights are stored as a difference from 1; converters to GGUF add it.
    normOffset: model.kind === 'gguf' ? 0 : 1,
    embedFactor: Math.sqrt(sizes.width),
    attentionScale: attentionScale(model, numbers, layers, sizes),
    activation: 'gelu',
    pairs: 'halves',
    layers: tensors.map((names, layer) => {
      const window = windowOf(model, numbers, layer);
      const { frequencies, factor } = window > 0 ? local : global;
      return { tensors: names, window, frequencies, rotationFactor: factor };
    }),
  };
}

/** The language model inside a model that also sees. */
function textPart(model: ModelDescription): ModelDescription {
  if (model.kind === 'gguf' || !('text_config' in model.config)) return model;
  const inner = model.config['text_config'];
  if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) {
    throw new LociError('bad-file', `${model.file}: "text_config" is not an object`);
  }
  return { ...model, config: { ...inner } };
}

/**
 * Scores are scaled by 1/√`query_pre_attn_scalar`. GGUF does not hold that number: it is the size of a head, but in the
 * model of 62 layers (27B) the width that each head has of the residual stream, as llama.cpp knows it.
 */
function attentionScale(
  model: ModelDescription,
  numbers: Numbers,
  layers: number,
  { width, heads, headSize }: { readonly width: number; readonly heads: number; readonly headSize: number },
): number {
  const scalar =
    model.kind === 'config'
      ? numbers.positive({ gguf: '', config: 'query_pre_attn_scalar' }, 256)
      : layers === 62
        ? Math.floor(width / heads)
        : headSize;
  return 1 / Math.sqrt(scalar);
}

/** Every sixth layer sees all keys, unless the file has another pattern; without a window all layers do. */
function windowOf(model: ModelDescription, numbers: Numbers, layer: number): number {
  if (model.kind === 'gguf' && numbers.number(windowKey, 0) === 0) return 0;
  const listed = model.kind === 'config' ? listedAsWindowed(numbers, layer) : undefined;
  return (listed ?? (layer + 1) % numbers.size(patternKey, 6) !== 0) ? numbers.size(windowKey) : 0;
}

function refuseVariants(numbers: Numbers): void {
  for (const name of ['final_logit_softcapping', 'attn_logit_softcapping']) {
    const key: MetadataKey = { gguf: name, config: name };
    if (numbers.number(key, 0) !== 0) throw numbers.error(key, 'is set, which Loci does not compute', 'unsupported');
  }
  const key: MetadataKey = { gguf: '', config: 'use_bidirectional_attention' };
  if (numbers.flag(key)) throw numbers.error(key, 'is true: this model embeds texts, it does not write', 'unsupported');
}
