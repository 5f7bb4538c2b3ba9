/** What the families of this folder share: the same transformer with the same metadata keys. */
import type { Architecture, ModelDescription } from './architecture.ts';
import { type MetadataKey, type Numbers, numbersOf } from './numbers.ts';
import { ropeSettings } from './rope-settings.ts';
import { rotationOf } from './rotation.ts';
import { type LayerParts, tensorNames } from './tensor-names.ts';

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

/** Values that a family's config.json may leave out. */
export type Defaults = Partial<Pick<Dimensions, 'heads' | 'kvHeads' | 'headSize' | 'contextLength' | 'normEpsilon'>>;

const keys = {
  layers: { gguf: 'block_count', config: 'num_hidden_layers' },
  width: { gguf: 'embedding_length', config: 'hidden_size' },
  heads: { gguf: 'attention.head_count', config: 'num_attention_heads' },
  kvHeads: { gguf: 'attention.head_count_kv', config: 'num_key_value_heads' },
  headSize: { gguf: 'attention.key_length', config: 'head_dim' },
  valueSize: { gguf: 'attention.value_length', config: 'head_dim' },
  rotated: { gguf: 'rope.dimension_count', config: 'head_dim' },
  hidden: { gguf: 'feed_forward_length', config: 'intermediate_size' },
  contextLength: { gguf: 'context_length', config: 'max_position_embeddings' },
  normEpsilon: { gguf: 'attention.layer_norm_rms_epsilon', config: 'rms_norm_eps' },
} as const satisfies Record<string, MetadataKey>;

/** @throws LociError `bad-file` for sizes that are missing, absurd or contradict each other, `unsupported`. */
export function dimensions(numbers: Numbers, defaults: Defaults = {}): Dimensions {
  const width = numbers.size(keys.width);
  const heads = numbers.size(keys.heads, defaults.heads);
  const kvHeads = numbers.size(keys.kvHeads, defaults.kvHeads ?? heads);
  if (heads % kvHeads !== 0) {
    throw numbers.error(keys.kvHeads, `is ${kvHeads}, and ${heads} query heads cannot share so many evenly`);
  }
  const evenly = width % heads === 0 ? width / heads : undefined;
  const headSize = numbers.size(keys.headSize, defaults.headSize ?? evenly);
  const valueSize = numbers.size(keys.valueSize, headSize);
  if (valueSize !== headSize) {
    throw numbers.error(keys.valueSize, `is ${valueSize}, but keys have ${headSize} channels`, 'unsupported');
  }
  const rotated = numbers.size(keys.rotated, headSize);
  if (rotated > headSize || rotated % 2 !== 0) {
    throw numbers.error(keys.rotated, `is ${rotated}: it must be even and at most ${headSize}, the size of a head`);
  }
  const normEpsilon = numbers.positive(keys.normEpsilon, defaults.normEpsilon);
  if (normEpsilon >= 1) throw numbers.error(keys.normEpsilon, `is ${normEpsilon}, and must be small`);
  return {
    layers: numbers.size(keys.layers),
    width,
    heads,
    kvHeads,
    headSize,
    hidden: numbers.size(keys.hidden),
    contextLength: numbers.size(keys.contextLength, defaults.contextLength),
    normEpsilon,
    rotated,
  };
}

/** GGUF fixes a family's activation; config.json names it. @throws LociError `unsupported` for another one. */
export function checkActivation(model: ModelDescription, numbers: Numbers, config: string, known: string): void {
  const key: MetadataKey = { gguf: '', config };
  const found = model.kind === 'config' ? (numbers.string(key) ?? known) : known;
  if (found !== known) throw numbers.error(key, `is "${found}", and only "${known}" is supported`, 'unsupported');
}

export interface UniformFamily {
  readonly family: string;
  readonly parts: LayerParts;
  readonly pairs: Architecture['pairs'];
  /** Keys that a layer sees, itself included; 0 means all. By default all. */
  readonly window?: (numbers: Numbers, layer: number) => number;
}

/** A llama-like architecture: every layer alike but for its window, one rotation. */
export function uniformArchitecture(model: ModelDescription, plan: UniformFamily): Architecture {
  const numbers = numbersOf(model, plan.family);
  const { layers, ...sizes } = dimensions(numbers);
  checkActivation(model, numbers, 'hidden_act', 'silu');
  const { layers: tensors, ...outer } = tensorNames(model, layers, plan.parts);
  const { frequencies, factor } = rotationOf(ropeSettings(model, numbers, { theta: 10_000, ...sizes }), sizes.rotated);
  return {
    family: plan.family,
    ...sizes,
    ...outer,
    normOffset: 0,
    embedFactor: 1,
    attentionScale: 1 / Math.sqrt(sizes.headSize),
    activation: 'silu',
    pairs: plan.pairs,
    layers: tensors.map((names, layer) => ({
      tensors: names,
      window: plan.window?.(numbers, layer) ?? 0,
      frequencies,
      rotationFactor: factor,
    })),
  };
}
