import type { Json } from '@loci/evaluate';
import type { Model, OpenOptions } from 'loci';

/** A number for every head of a model, and what made it. */
export interface HeadScores {
  readonly model: { readonly name: string; readonly fingerprint: string };
  readonly made: { readonly method: string; readonly settings: Readonly<Record<string, Json>>; readonly seed: number };
  /** Whether a row of scores is about query heads or about key/value heads. */
  readonly of: 'heads' | 'kvHeads';
  /** [layer][head]; NaN where a head was not asked, null in a file. */
  readonly scores: readonly (readonly number[])[];
  /** Further scores of the same heads, by name. */
  readonly others: Readonly<Record<string, readonly (readonly number[])[]>>;
}

/** A way to score the heads of a model, by name. */
export interface HeadProbe {
  readonly name: string;
  readonly summary: string;
  measure(model: Model, options: HeadProbeOptions): Promise<HeadScores>;
}

export interface HeadProbeOptions {
  readonly seed: number;
  /** Texts to measure with; a number that a probe finds right by default. */
  readonly cases?: number;
  /** How the sessions compute, and the methods at work in them. */
  readonly open?: Omit<OpenOptions, 'probes'>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}
