/** Models whose file names what each layer's tokens are mixed by, as the laboratory writes them. */
import type { Mixers, MixLayer } from '../axes/mix.ts';
import { LociError } from '../errors.ts';
import { isRecord } from '../format/json-members.ts';
import type { Architecture, Family, LayerShape, ModelDescription } from './architecture.ts';
import { numbersOf } from './numbers.ts';

/** What a file says of such a model. */
export interface MixedConfig {
  readonly model_type: 'mixed';
  readonly vocabulary: number;
  readonly width: number;
  /** Tokens of a sequence in training. */
  readonly length: number;
  readonly positions: 'none' | 'learned';
  readonly norm: 'layer' | 'rms';
  /** What tokens are: the bytes of a text, or nothing but numbers. */
  readonly tokens: 'bytes' | 'ids';
  /** Mixer as `name:option=value,…`, and width of the feed-forward part; 0 is none. */
  readonly layers: readonly { readonly mixer: string; readonly feedForward: number }[];
}

const name: MixedConfig['model_type'] = 'mixed';
/** Positions are 32-bit numbers, and methods add to them. */
const unlimited = 2 ** 30;
const unrotated = new Float64Array();

export function isMixed(model: ModelDescription): boolean {
  return model.kind === 'config' && model.config['model_type'] === name;
}

export const mixed: Family = { names: [name], architecture };

function architecture(model: ModelDescription, mixers: Mixers | undefined): Architecture {
  const numbers = numbersOf(model, name);
  const refusal = (reason: string) => new LociError('unsupported', `${model.file}: ${reason}`);
  if (!mixers) throw refusal('its layers are made of mixers; load it with the option mixers, which says what they are');
  const size = (key: string) => numbers.size({ gguf: '', config: key });
  const one = <T extends string>(key: string, known: readonly T[]): T => {
    const value = numbers.string({ gguf: '', config: key });
    const found = known.find((text) => text === value);
    if (found === undefined) throw numbers.error({ gguf: '', config: key }, `is not ${known.join(' or ')}`);
    return found;
  };
  const [vocabulary, width, length] = [size('vocabulary'), size('width'), size('length')];
  const [positions, norm] = [one('positions', ['none', 'learned']), one('norm', ['layer', 'rms'])];
  const plans = layersOf(model, numbers.list({ gguf: '', config: 'layers' }) ?? []);
  const made = plans.map(({ mixer }, layer) => mixers(mixer, { width, length, layers: plans.length, layer }));
  const heads = headsOf(made, refusal);
  const hidden = [...new Set(plans.map(({ feedForward }) => feedForward).filter((inner) => inner > 0))];
  if (hidden.length > 1) throw refusal('its layers have feed-forward parts of different widths');
  const bias = (key: string, at: string) => (norm === 'layer' ? { [key]: `${at}.bias` } : {});
  return {
    family: name,
    ...{ vocabulary, width, heads, kvHeads: heads, headSize: width / heads, hidden: hidden[0] ?? 8 },
    contextLength: positions === 'learned' ? length : unlimited,
    normEpsilon: norm === 'layer' ? 1e-5 : 1e-6,
    ...{ normOffset: 0, embedFactor: 1, attentionScale: Math.sqrt(heads / width) },
    ...{ activation: 'gelu', pairs: 'halves', rotated: 0 },
    layers: made.map((mix, layer): LayerShape => {
      const at = `layers.${layer}`;
      const attention =
        mix.kind === 'attention'
          ? Object.entries({ ...mix.names, ...(mix.rows?.kind === 'gate' && { rowGate: mix.rows.name }) }).map(
              ([role, tensor]) => [role, `${at}.mix.${tensor}`],
            )
          : [];
      return {
        tensors: {
          attentionNorm: `${at}.norm.weight`,
          ...bias('attentionNormBias', `${at}.norm`),
          ...Object.fromEntries(attention),
          ...(plans[layer]?.feedForward && {
            ffnNorm: `${at}.feedForwardNorm.weight`,
            ...bias('ffnNormBias', `${at}.feedForwardNorm`),
            up: `${at}.feedForward.up`,
            down: `${at}.feedForward.down`,
          }),
        },
        ...{ window: mix.kind === 'attention' ? mix.window : 0, frequencies: unrotated, rotationFactor: 1 },
        ...(mix.kind === 'state' && { mix: { layer: mix, at: `${at}.mix.` } }),
        ...(mix.kind === 'attention' && mix.rows && { rows: mix.rows }),
      };
    }),
    ...{ embedding: 'embedding', output: 'embedding' },
    ...(positions === 'learned' && { positions: 'positions' }),
    outputNorm: 'norm.weight',
    ...bias('outputNormBias', 'norm'),
  };
}

function layersOf(model: ModelDescription, list: readonly unknown[]): MixedConfig['layers'] {
  const layers = list.map((value) => {
    const { mixer, feedForward } = isRecord(value) ? value : {};
    if (typeof mixer !== 'string' || !(typeof feedForward === 'number' && Number.isSafeInteger(feedForward))) {
      throw new LociError('bad-file', `${model.file}: "layers" holds something that is not a mixer and a width`);
    }
    return { mixer, feedForward };
  });
  if (layers.length === 0) throw new LociError('bad-file', `${model.file}: "layers" is empty`);
  return layers;
}

/** Heads of the layers that attend, all alike; where there are none the cache stays empty. */
function headsOf(layers: readonly MixLayer[], refusal: (reason: string) => LociError): number {
  const attending = layers.filter((layer) => layer.kind === 'attention');
  const [first] = attending;
  if (!first) return 1;
  if (attending.some(({ heads }) => heads !== first.heads))
    throw refusal('its layers attend with different numbers of heads');
  return first.heads;
}
