import type { Encoder } from '@loci/device';
import type { StridedRows } from '@loci/kernels';

/** How the tokens of a layer learn of one another: by attention over the cache, or through a state of a fixed size. */
export type MixLayer = AttentionLayer | StateLayer;

/** Softmax attention without positions of its own. */
export interface AttentionLayer {
  readonly kind: 'attention';
  readonly heads: number;
  /** Keys that a query sees, its own included; 0 is all. */
  readonly window: number;
  /** What the file calls its matrices, each [c, c]. */
  readonly names: { readonly q: string; readonly k: string; readonly v: string; readonly o: string };
  /** What every row of what was attended is multiplied by. */
  readonly rows?: RowFactors;
}

export type RowFactors =
  /** 1 where the token stands in its sequence before, else 0. */
  | { readonly kind: 'repeated' }
  /** σ(w·x) of the normed row x that enters the layer, or 0 where that is below `least`; `name` is the file's [c, 1]. */
  | { readonly kind: 'gate'; readonly name: string; readonly least: number };

/**
 * A layer that goes through its tokens with a state per sequence, which is all zeros at the start. The decoder multiplies, and
 * looks after states: they are forked and saved, and an aborted step leaves them as they were.
 */
export interface StateLayer {
  readonly kind: 'state';
  /** Products of the normed rows: by the name of the matrix, [rows, c] in the file. */
  readonly products: Readonly<
    Record<string, { readonly rows: number /** Name of a vector [rows] that is added. */; readonly bias?: string }>
  >;
  /** Other tensors of the file, by name, with their shapes. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  /** Numbers that are not in the file. */
  readonly numbers: Readonly<Record<string, Float32Array>>;
  /** Name of the matrix [c, c] that what was mixed goes through; without it, it is added to the residual stream as it is. */
  readonly output?: string;
  /** Bytes of the state of one sequence. */
  readonly stateBytes: number;
  /** Bytes of scratch memory that its kernels need. */
  readonly scratchBytes: number;
  /** Records the kernels for the rows of one sequence: from the products and the state to `mixed` and the state behind. */
  record(encoder: Encoder, view: MixView): void;
}

/** A state layer as it passes, for the rows of one sequence. */
export interface MixView {
  /** Rows (a count). */
  readonly n: number;
  /** What enters the layer, normed: [n, c]. */
  readonly normed: StridedRows;
  /** Where the result is to be: [n, c]. */
  readonly mixed: StridedRows;
  /** Addresses of the state before the rows and of the state behind them, which is to be written whole. */
  readonly from: number;
  readonly to: number;
  /** One of `products`: [n, rows]. */
  product(name: string): StridedRows;
  /** Address of one of `tensors` or `numbers`. */
  tensor(name: string): number;
}

/** What a layer of a model is told about the rest of it. */
export interface MixSize {
  /** Model width c. */
  readonly width: number;
  /** Tokens of a sequence in training. */
  readonly length: number;
  readonly layers: number;
  /** Which layer this is, from 0 on. */
  readonly layer: number;
}

/** What a file's text for a mixer, `name:option=value,…`, means. @throws LociError `bad-option`, `unsupported`. */
export type Mixers = (text: string, size: MixSize) => MixLayer;
