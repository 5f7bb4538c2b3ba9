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
  /** How the sessions compute (a precision that the probe finds right by default), and the methods at work in them. */
  readonly open?: Omit<OpenOptions, 'probes'>;
  readonly signal?: AbortSignal | undefined;
  /** Texts that are done, of the one under way the part that is, and how many there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** How sessions compute, as a document says it. */
export function openedWith({ precision = 'int8', store, attend, keep, steer = [] }: Omit<OpenOptions, 'probes'>) {
  const format = store ?? (precision === 'float32' ? 'f32' : 'f16');
  return {
    precision,
    store: typeof format === 'string' ? format : format.spec,
    ...(attend && { attend: attend.spec }),
    ...(keep && { keep: keep.spec }),
    ...(steer.length > 0 && { steer: steer.map(({ spec }) => spec) }),
  };
}
