import type { MixLayer, MixSize } from 'loci';
import type { Tensor } from '../arrays/index.ts';
import type { ParameterSpecs } from './parameters.ts';

/** What a layer of a model is told about the rest of it. */
export type LayerSize = MixSize;

/** What a mixer may look at beside what it mixes. */
export interface MixContext extends LayerSize {
  /** The tokens, [batch, n]. */
  readonly ids: Tensor;
  readonly vocabulary: number;
}

/** How tokens learn of one another in a layer: attention, a recurrence, a convolution. Opened from its options. */
export interface Mixer {
  readonly axis: 'mix';
  readonly name: string;
  /** As a configuration writes it: `name:option=value,…`. */
  readonly spec: string;
  /** @throws LociError `bad-option` when the size does not suit it. */
  parameters(size: LayerSize): ParameterSpecs;
  /** x [batch, n, width], normed → the same shape, to be added to the residual stream. No token may see later ones. */
  mix(x: Tensor, parameters: Parameters, context: MixContext): Tensor;
  /** Bytes that a sequence of n tokens keeps for those to come, in float32: everything that decoding would need. */
  stateBytes(size: LayerSize, n: number): number;
  /** How the engine computes it, where it can: the file of a trained model has its parameters under their names, matrices turned. */
  layer?(size: LayerSize): MixLayer;
}

/** The parameters of a layer by their names; an unknown name throws. */
export type Parameters = (name: string) => Tensor;
