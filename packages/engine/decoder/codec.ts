import type { AffineRows, PackedLayout, ProgressiveRows } from '@loci/kernels';
import type { AttentionWeights, FeedForwardWeights } from './weights.ts';

/** The matrices of a layer. */
export type MatrixRole =
  | Extract<keyof AttentionWeights, 'q' | 'k' | 'v' | 'o'>
  | Extract<keyof FeedForwardWeights, 'gate' | 'up' | 'down'>;

/** Rows of one of a layer's matrices, as the file holds them. */
export interface LayerRows {
  readonly layer: number;
  readonly role: MatrixRole;
  /** Number of the first of the rows within the matrix. */
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns]; its own to change. */
  readonly values: Float32Array<ArrayBuffer>;
}

/**
 * Turns the matrices of the layers into others while they are loaded: into numbers of few bits for a packed layout, into floats,
 * or into progressive ones, which under int8 are multiplied by activations with one scale per token and in whole numbers
 * throughout. Rows come in pieces, each row once; embedding and head stay as they are.
 */
export type WeightCodec = {
  /** Tells models apart that come from one file by it: saved sessions belong to one of them. */
  readonly name: string;
} & (
  | { readonly layout: PackedLayout; encode(rows: LayerRows): AffineRows }
  | { readonly layout: 'progressive'; readonly group: number; encode(rows: LayerRows): ProgressiveRows }
  | { readonly layout: 'f32'; encode(rows: LayerRows): Float32Array<ArrayBuffer> }
);
