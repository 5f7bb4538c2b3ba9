import type { Tensor } from '../arrays/index.ts';
import * as f from '../arrays/index.ts';
import type { LayerSize, Mixer, Parameters } from './mixer.ts';
import { filled, type ParameterSpec, type ParameterSpecs, weights } from './parameters.ts';

export interface Layer {
  readonly mixer: Mixer;
  /** Width of the feed-forward part as a multiple of the model's; 0 is none. */
  readonly feedForward: number;
}

export interface ModelShape {
  readonly vocabulary: number;
  readonly width: number;
  /** Tokens of a sequence in training. */
  readonly length: number;
  readonly layers: readonly Layer[];
  /** `learned` adds a vector per position to the embedding. */
  readonly positions: 'none' | 'learned';
  readonly norm: 'layer' | 'rms';
}

/**
 * The model shell: embedding, pre-norm blocks of a mixer and, where wanted, a feed-forward part with GELU, a norm, and a head
 * that is the embedding again.
 */
export class LanguageModel {
  readonly shape: ModelShape;
  readonly specs: ParameterSpecs;

  /** @throws LociError `bad-option` from mixers that do not suit the size. */
  constructor(shape: ModelShape) {
    this.shape = shape;
    const { vocabulary, width, length, layers, positions } = shape;
    const entries: [string, ParameterSpec][] = [['embedding', weights([vocabulary, width])]];
    if (positions === 'learned') entries.push(['positions', weights([length, width])]);
    for (const [layer, { mixer, feedForward }] of layers.entries()) {
      const of = (part: string, specs: ParameterSpecs) => {
        for (const [name, spec] of Object.entries(specs)) entries.push([`layers.${layer}.${part}.${name}`, spec]);
      };
      of('norm', this.#normSpecs());
      of('mix', mixer.parameters(this.size(layer)));
      if (feedForward === 0) continue;
      const inner = Math.round(feedForward * width);
      of('feedForwardNorm', this.#normSpecs());
      of('feedForward', {
        up: weights([width, inner]),
        down: weights([inner, width], 0.02 / Math.sqrt(2 * layers.length)),
      });
    }
    for (const [name, spec] of Object.entries(this.#normSpecs())) entries.push([`norm.${name}`, spec]);
    this.specs = Object.fromEntries(entries);
  }

  size(layer: number): LayerSize {
    const { width, length, layers } = this.shape;
    return { width, length, layers: layers.length, layer };
  }

  /** What enters the head: ids [batch, n] → [batch, n, width]. */
  hidden(ids: Tensor, parameters: Parameters): Tensor {
    const last = this.residuals(ids, parameters).at(-1);
    if (!last) throw new RangeError('a model has an embedding at least');
    return this.#norm(last, (name) => parameters(`norm.${name}`));
  }

  /** The residual stream, [batch, n, width]: the embedding, and what it is behind each layer. */
  residuals(ids: Tensor, parameters: Parameters): readonly Tensor[] {
    const { positions, layers } = this.shape;
    const n = f.dimension(ids, 1);
    let x = f.gather(parameters('embedding'), ids);
    if (positions === 'learned') x = f.add(x, f.slice(parameters('positions'), 0, 0, n));
    const stream = [x];
    for (const [layer, { mixer, feedForward }] of layers.entries()) {
      const of = (part: string) => (name: string) => parameters(`layers.${layer}.${part}.${name}`);
      const context = { ...this.size(layer), ids, vocabulary: this.shape.vocabulary };
      x = f.add(x, mixer.mix(this.#norm(x, of('norm')), of('mix'), context));
      if (feedForward > 0) {
        const [up, down] = [of('feedForward')('up'), of('feedForward')('down')];
        x = f.add(x, f.matmul(f.gelu(f.matmul(this.#norm(x, of('feedForwardNorm')), up)), down));
      }
      stream.push(x);
    }
    return stream;
  }

  /** Logits [rows, vocabulary] of some positions: rows are numbers of tokens in the batch, counted through. */
  logits(ids: Tensor, rows: Tensor, parameters: Parameters): Tensor {
    const hidden = f.reshape(this.hidden(ids, parameters), [-1, this.shape.width]);
    return f.matmul(f.gather(hidden, rows), f.transpose(parameters('embedding')));
  }

  /** Bytes of the state of all layers after n tokens. */
  stateBytes(n: number): number {
    return this.shape.layers.reduce((sum, { mixer }, layer) => sum + mixer.stateBytes(this.size(layer), n), 0);
  }

  #normSpecs(): ParameterSpecs {
    const { width, norm } = this.shape;
    const factors = { weight: filled([width], 1) };
    return norm === 'layer' ? { ...factors, bias: filled([width], 0) } : factors;
  }

  #norm(x: Tensor, parameters: Parameters): Tensor {
    if (this.shape.norm === 'rms') return f.mul(f.rmsNorm(x), parameters('weight'));
    return f.add(f.mul(f.layerNorm(x), parameters('weight')), parameters('bias'));
  }
}
