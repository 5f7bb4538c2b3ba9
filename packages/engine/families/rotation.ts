import { LociError } from '../errors.ts';
import type { ModelDescription } from './architecture.ts';
import type { Dimensions } from './common.ts';
import type { Numbers } from './numbers.ts';

export interface Rotation {
  /** Radians per position of each pair, [rotated / 2]. */
  readonly frequencies: Float64Array;
  /** Factor on cos and sin. */
  readonly factor: number;
}

type Sizes = Pick<Dimensions, 'rotated' | 'contextLength'>;

/** θ^(−2j / r) for the pairs of r rotated channels (Su et al. 2021, equation 15). */
export function baseFrequencies(rotated: number, theta: number): Float64Array {
  return Float64Array.from({ length: rotated / 2 }, (_, j) => theta ** ((-2 * j) / rotated));
}

/**
 * Frequencies with the model's context extension: none, linear, Llama 3's per-frequency scaling, or YaRN
 * (Peng et al. 2023, section 3.2).
 */
export function rotation(model: ModelDescription, numbers: Numbers, sizes: Sizes): Rotation {
  const theta = numbers.number({ gguf: 'rope.freq_base', config: 'rope_theta' }, nestedTheta(model) ?? 10_000);
  const base = baseFrequencies(sizes.rotated, theta);
  if (model.kind === 'gguf' && model.ropeFactors) {
    const factors = model.ropeFactors;
    if (factors.length !== base.length) {
      throw new LociError(
        'bad-file',
        `${model.file}: "rope_freqs.weight" has ${factors.length} factors for ${base.length} pairs`,
      );
    }
    return { frequencies: base.map((frequency, j) => frequency / (factors[j] ?? 1)), factor: 1 };
  }
  const settings = scaling(model, numbers);
  switch (settings.kind) {
    case 'none':
      return { frequencies: base, factor: 1 };
    case 'linear':
      return { frequencies: base.map((frequency) => frequency / settings.factor), factor: 1 };
    case 'llama3':
      return { frequencies: base.map((frequency) => llama3(frequency, settings)), factor: 1 };
    case 'yarn':
      return yarn(base, theta, sizes.rotated, settings);
  }
}

interface Llama3Scaling {
  readonly kind: 'llama3';
  readonly factor: number;
  readonly low: number;
  readonly high: number;
  readonly original: number;
}

interface YarnScaling {
  readonly kind: 'yarn';
  readonly factor: number;
  readonly original: number;
  readonly fast: number;
  readonly slow: number;
  readonly attention: number | undefined;
}

type Scaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  | Llama3Scaling
  | YarnScaling;

/** Low frequencies are divided by the factor, high ones kept, those between mixed by wavelength (Llama 3.1's rule). */
function llama3(frequency: number, { factor, low, high, original }: Llama3Scaling): number {
  const turns = (original * frequency) / (2 * Math.PI);
  const keep = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return (frequency / factor) * (1 - keep) + frequency * keep;
}

function yarn(base: Float64Array, theta: number, rotated: number, scaling: YarnScaling): Rotation {
  const { factor, original, fast, slow, attention } = scaling;
  // The pair that turns this many times over the original context.
  const pairOf = (turns: number) => (rotated * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(0, Math.floor(pairOf(fast)));
  const high = Math.min(rotated - 1, Math.ceil(pairOf(slow)));
  const frequencies = base.map((frequency, j) => {
    const ramp = Math.min(1, Math.max(0, (j - low) / Math.max(0.001, high - low)));
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  });
  return { frequencies, factor: attention ?? 1 + 0.1 * Math.log(factor) };
}

function scaling(model: ModelDescription, numbers: Numbers): Scaling {
  const at = configKey(model);
  const kind =
    numbers.string({ gguf: 'rope.scaling.type', config: `${at}.rope_type` }) ??
    numbers.string({ gguf: 'rope.scaling.type', config: `${at}.type` }) ??
    'none';
  const number = (gguf: string, config: string, fallback?: number) =>
    numbers.number({ gguf: `rope.scaling.${gguf}`, config: `${at}.${config}` }, fallback);
  const original = () => number('original_context_length', 'original_max_position_embeddings');
  switch (kind) {
    case 'none':
    case 'default':
      return { kind: 'none' };
    case 'linear':
      return { kind: 'linear', factor: number('factor', 'factor') };
    case 'llama3':
      return {
        kind: 'llama3',
        factor: number('factor', 'factor'),
        low: number('low_freq_factor', 'low_freq_factor', 1),
        high: number('high_freq_factor', 'high_freq_factor', 4),
        original: original(),
      };
    case 'yarn': {
      const attention = number('attn_factor', 'attention_factor', Number.NEGATIVE_INFINITY);
      return {
        kind: 'yarn',
        factor: number('factor', 'factor'),
        original: original(),
        fast: number('yarn_beta_fast', 'beta_fast', 32),
        slow: number('yarn_beta_slow', 'beta_slow', 1),
        attention: attention > 0 ? attention : undefined,
      };
    }
    default:
      throw new LociError('unsupported', `${model.file}: rope scaling "${kind}" is not supported`);
  }
}

/** Newer config.json files keep all of it in `rope_parameters`. */
function configKey(model: ModelDescription): 'rope_parameters' | 'rope_scaling' {
  return model.kind === 'config' && model.config['rope_parameters'] ? 'rope_parameters' : 'rope_scaling';
}

function nestedTheta(model: ModelDescription): number | undefined {
  if (model.kind !== 'config') return undefined;
  const nested = model.config['rope_parameters'];
  if (typeof nested !== 'object' || nested === null || !('rope_theta' in nested)) return undefined;
  return typeof nested.rope_theta === 'number' ? nested.rope_theta : undefined;
}
