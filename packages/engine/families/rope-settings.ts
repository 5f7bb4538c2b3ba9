import type { ModelDescription } from './architecture.ts';
import type { MetadataKey, Numbers } from './numbers.ts';
import { type RopeScaling, type RopeSettings, yarnAttention } from './rotation.ts';

/** Layers that see every key, and those that see a window, may rotate differently. */
export type LayerKind = 'full_attention' | 'sliding_attention';

export interface RopeDefaults {
  readonly theta: number;
  readonly contextLength: number;
  readonly rotated: number;
}

/**
 * How the layers that see all keys rotate.
 * @throws LociError `bad-file` for missing and absurd values, `unsupported` for a scaling that is not known.
 */
export function ropeSettings(model: ModelDescription, numbers: Numbers, defaults: RopeDefaults): RopeSettings {
  return model.kind === 'gguf'
    ? ggufSettings(model, numbers, defaults)
    : configSettings(model.config, numbers, defaults, 'full_attention');
}

/**
 * How layers with a window rotate in families where that differs: by their own base, and (but where config.json gives each
 * kind of layer its own parameters) unscaled, since their keys are never far away.
 */
export function localRopeSettings(model: ModelDescription, numbers: Numbers, defaults: RopeDefaults): RopeSettings {
  if (model.kind === 'config' && 'rope_parameters' in model.config) {
    return configSettings(model.config, numbers, defaults, 'sliding_attention');
  }
  const theta = numbers.positive({ gguf: 'rope.freq_base_swa', config: 'rope_local_base_freq' }, defaults.theta);
  return { theta, scaling: { kind: 'none' } };
}

function ggufSettings(
  model: Extract<ModelDescription, { kind: 'gguf' }>,
  numbers: Numbers,
  defaults: RopeDefaults,
): RopeSettings {
  const { ropeFactors: divisors } = model;
  const pairs = defaults.rotated / 2;
  if (divisors && (divisors.length !== pairs || divisors.some((divisor) => !(divisor > 0 && divisor < Infinity)))) {
    throw numbers.error(
      { gguf: 'rope.dimension_count', config: '' },
      `asks for ${pairs} positive factors, and "rope_freqs.weight" holds ${divisors.length} (${divisors.slice(0, 4)}…)`,
    );
  }
  return {
    theta: numbers.positive({ gguf: 'rope.freq_base', config: 'rope_theta' }, defaults.theta),
    ...(divisors && { divisors }),
    scaling: ggufScaling(numbers, defaults),
  };
}

/**
 * As llama.cpp reads it: a factor alone means linear scaling, and no factor means 1. But for the `yarn_*` keys: it leaves them
 * aside in these families, while converters copy them from config.json, where the model was trained with them.
 */
function ggufScaling(numbers: Numbers, { contextLength }: RopeDefaults): RopeScaling {
  const key = (name: string): MetadataKey => ({ gguf: `rope.scaling.${name}`, config: '' });
  const older: MetadataKey = { gguf: 'rope.scale_linear', config: '' };
  const kind = numbers.string(key('type')) ?? 'linear';
  const factor = () => numbers.positive(numbers.has(key('factor')) ? key('factor') : older, 1);
  switch (kind) {
    case 'none':
      return { kind };
    case 'linear':
      return { kind, factor: factor() };
    case 'yarn':
      return {
        kind,
        factor: factor(),
        original: numbers.positive(key('original_context_length'), contextLength),
        fast: numbers.positive(key('yarn_beta_fast'), 32),
        slow: numbers.positive(key('yarn_beta_slow'), 1),
        // `yarn_attn_factor` is config.json's attention_factor, the whole of it; `attn_factor` comes on top.
        attention:
          numbers.positive(key('yarn_attn_factor'), yarnAttention(factor())) * numbers.positive(key('attn_factor'), 1),
        wholePairs: true,
      };
    default:
      throw numbers.error(key('type'), `is "${kind}", a rotary scaling that is not supported`, 'unsupported');
  }
}

function configSettings(
  config: Readonly<Record<string, unknown>>,
  numbers: Numbers,
  defaults: RopeDefaults,
  layers: LayerKind,
): RopeSettings {
  const at = configPath(config, numbers, layers);
  const key = (name: string): MetadataKey => ({ gguf: '', config: `${at}.${name}` });
  const outer = numbers.positive({ gguf: '', config: 'rope_theta' }, defaults.theta);
  for (const partial of [key('partial_rotary_factor'), { gguf: '', config: 'partial_rotary_factor' }]) {
    const part = numbers.number(partial, 1);
    if (part !== 1)
      throw numbers.error(partial, `is ${part}: rotating a part of a head is not supported`, 'unsupported');
  }
  return { theta: numbers.positive(key('rope_theta'), outer), scaling: configScaling(numbers, key, defaults) };
}

/** `rope_scaling` in older files, `rope_parameters` in newer ones, there possibly with a member for each kind of layer. */
function configPath(config: Readonly<Record<string, unknown>>, numbers: Numbers, layers: LayerKind): string {
  if ((config['rope_parameters'] ?? undefined) === undefined) return 'rope_scaling';
  const nested = `rope_parameters.${layers}`;
  return numbers.has({ gguf: '', config: nested }) ? nested : 'rope_parameters';
}

/** As transformers reads it (`modeling_rope_utils.py`). */
function configScaling(
  numbers: Numbers,
  key: (name: string) => MetadataKey,
  { contextLength }: RopeDefaults,
): RopeScaling {
  const type = numbers.has(key('rope_type')) ? key('rope_type') : key('type');
  const kind = numbers.string(type) ?? 'default';
  const factor = (fallback?: number) => numbers.positive(key('factor'), fallback);
  const original = () => {
    const inside = numbers.positive(key('original_max_position_embeddings'), contextLength);
    return numbers.positive({ gguf: '', config: 'original_max_position_embeddings' }, inside);
  };
  switch (kind) {
    case 'default':
    // "Dynamic" scaling begins behind max_position_embeddings, where a session has ended.
    case 'dynamic':
      return { kind: 'none' };
    case 'linear':
      return { kind, factor: factor() };
    case 'llama3':
      return {
        kind,
        factor: factor(),
        low: numbers.positive(key('low_freq_factor')),
        high: numbers.positive(key('high_freq_factor')),
        original: original(),
      };
    case 'yarn': {
      const times = factor(contextLength / original());
      return {
        kind,
        factor: times,
        original: original(),
        fast: numbers.positive(key('beta_fast'), 32),
        slow: numbers.positive(key('beta_slow'), 1),
        attention: numbers.positive(key('attention_factor'), configAttention(numbers, key, times)),
        wholePairs: numbers.flag(key('truncate')) ?? true,
      };
    }
    default:
      throw numbers.error(type, `is "${kind}", a rotary scaling that is not supported`, 'unsupported');
  }
}

function configAttention(numbers: Numbers, key: (name: string) => MetadataKey, factor: number): number {
  const above = numbers.number(key('mscale'), 0);
  const below = numbers.number(key('mscale_all_dim'), 0);
  return above !== 0 && below !== 0
    ? yarnAttention(factor, above) / yarnAttention(factor, below)
    : yarnAttention(factor);
}
