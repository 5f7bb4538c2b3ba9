import type { Model, OpenOptions } from 'loci';
import type { HeadScores } from './scores.ts';

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
