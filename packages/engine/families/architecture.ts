import type { Activation, RopePairs } from '@loci/kernels';
import type { Mixers, RowFactors, StateLayer } from '../axes/mix.ts';
import type { MetadataValue, StoredTensor } from '../format/types.ts';

/** The names of one layer's tensors in the weight file; an optional one is not there in every family. */
export interface LayerTensors {
  readonly attentionNorm: string;
  /** An offset makes a norm one that takes off the mean first. */
  readonly attentionNormBias?: string;
  /** Those of attention; a layer that mixes otherwise has none. */
  readonly q?: string;
  readonly k?: string;
  readonly v?: string;
  readonly o?: string;
  readonly qBias?: string;
  readonly kBias?: string;
  readonly vBias?: string;
  /** Norm over the channels of each query (key) head, before rotation. */
  readonly qNorm?: string;
  readonly kNorm?: string;
  /** Weights [c, 1] of a gate per row of attention's result (`RowFactors`). */
  readonly rowGate?: string;
  /** Norm of the attention's output, before it is added to the residual stream. */
  readonly attentionPostNorm?: string;
  /** Those of the feed-forward part, where there is one; without a gate it is down(act(up(x))). */
  readonly ffnNorm?: string;
  readonly ffnNormBias?: string;
  readonly gate?: string;
  readonly up?: string;
  readonly down?: string;
  readonly ffnPostNorm?: string;
}

export interface LayerShape {
  readonly tensors: LayerTensors;
  /** A key is seen when it is less than this many positions back; 0 means all keys. */
  readonly window: number;
  /** Radians per position of each rotated pair: [rotated / 2]. */
  readonly frequencies: Float64Array;
  /** Factor on cos and sin (YaRN's attention temperature). */
  readonly rotationFactor: number;
  /** What mixes the tokens in place of attention, and what stands before the names of its tensors. */
  readonly mix?: { readonly layer: StateLayer; readonly at: string };
  /** What rows of attention's result are multiplied by. */
  readonly rows?: RowFactors;
}

/** Everything the decoder needs to know of a model; families produce it, nothing else reads metadata. */
export interface Architecture {
  readonly family: string;
  readonly vocabulary: number;
  /** Model width c. */
  readonly width: number;
  /** Query heads h. */
  readonly heads: number;
  /** Key/value heads g. */
  readonly kvHeads: number;
  /** Channels of a head d. */
  readonly headSize: number;
  /** Width of the feed-forward layer. */
  readonly hidden: number;
  /** Tokens the model was trained to attend over. */
  readonly contextLength: number;
  readonly normEpsilon: number;
  /** Added to norm weights when they are stored as a difference from it. */
  readonly normOffset: number;
  readonly embedFactor: number;
  readonly attentionScale: number;
  readonly activation: Activation;
  readonly pairs: RopePairs;
  /** Channels of a head that are rotated; 0 is none. */
  readonly rotated: number;
  readonly layers: readonly LayerShape[];
  readonly embedding: string;
  /** Vectors [contextLength, c] that are added to the embedding by position. */
  readonly positions?: string;
  readonly outputNorm: string;
  readonly outputNormBias?: string;
  /** The embedding's own name when the head is tied to it. */
  readonly output: string;
}

/** What a family reads: where the numbers come from differs by file format, the family's mapping does not. */
export type ModelDescription =
  | {
      readonly kind: 'gguf';
      readonly file: string;
      readonly metadata: ReadonlyMap<string, MetadataValue>;
      readonly tensors: ReadonlyMap<string, StoredTensor>;
      /** `rope_freqs.weight` where the file has it: divisors of the base frequencies. */
      readonly ropeFactors?: Float32Array;
    }
  | {
      readonly kind: 'config';
      readonly file: string;
      /** The parsed config.json. */
      readonly config: Readonly<Record<string, unknown>>;
      readonly tensors: ReadonlyMap<string, StoredTensor>;
    };

/** One model family: recognises its files and maps their names and numbers. */
export interface Family {
  /** Values of `general.architecture` (GGUF) and `model_type` (config.json). */
  readonly names: readonly string[];
  /** `mixers` says what layers are made of where the file names them. */
  architecture(model: ModelDescription, mixers?: Mixers): Architecture;
}
