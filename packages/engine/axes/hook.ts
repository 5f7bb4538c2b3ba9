import type { Encoder } from '@loci/device';
import type { PageFormat } from '@loci/kernels';
import type { KvCache } from '../cache/cache.ts';

/** Where in a text the rows of a program stand: within a prompt, at its end, or behind it. */
export type Moment = 'prompt' | 'prompt end' | 'decode';

/** A layer as it passes, for the rows of one sequence; numbers are addresses on the device unless said otherwise. */
export interface LayerView {
  readonly layer: number;
  readonly moment: Moment;
  /** Rows (a count). */
  readonly n: number;
  /** Rotated queries [n, h, d] and keys [n, g, d], values [n, g, d], and attention's results [n, h, d]. */
  readonly queries: number;
  readonly keys: number;
  readonly values: number;
  readonly attended: number;
  /** int32 [n] */
  readonly positions: number;
  readonly cache: KvCache;
  /** [g] entries; slots of the n rows lie behind their used ones. */
  readonly heads: number;
  readonly format: PageFormat;
  /** The largest number of slots of a head, the n rows included (a count). */
  readonly slots: number;
  /** Factor of the scores, and the layer's own window in tokens (0: none). */
  readonly scale: number;
  readonly window: number;
  /** int64 [3], to which programs add: slots read, pairs of a query row and a slot scored, keys scored to choose others. */
  readonly counts: number;
}

/** Rows of a sequence that have been computed. */
export interface Ran {
  readonly moment: Moment;
  readonly n: number;
  /** Of the first row. */
  readonly position: number;
  /** Of the sequence, with the rows in it, for reading. */
  readonly cache: KvCache;
}

/** Rows that have been committed, and a method that may now take its time. */
export interface Settling extends Ran {
  /** Ends what takes long: the rows stay read. */
  readonly signal?: AbortSignal | undefined;
  /** What is being done, in a word that fits behind "reading", and how much of it is done (0 … 1). */
  readonly progress?: ((what: string, share: number) => void) | undefined;
}

/** What a method records into, and reads out of, the forward pass of its sequence. All commands join. */
export interface Hook {
  /** Queries and keys are rotated; the keys are not in the cache yet. */
  rotated?(encoder: Encoder, view: LayerView): void;
  /** Attention's results are there, and the cache holds the rows. */
  attended?(encoder: Encoder, view: LayerView): void;
  /** The program has run. */
  ran?(rows: Ran): void;
}
