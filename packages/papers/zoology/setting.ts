import type { Workbench } from '@loci/evaluate';
import { readConfig } from '@loci/lab';
import { trainOn } from '../mixing/train-on.ts';
import type { MqarTask } from './task.ts';

/** A training run on MQAR, in what may differ from the standard small setting S. */
export interface Run {
  /** Of the layer behind a short convolution. */
  readonly mixer: string;
  readonly seed?: number;
  readonly steps?: number;
  readonly rate?: number;
  readonly task?: Partial<MqarTask>;
}

/** What is kept of it. */
export type Trained = {
  readonly mixer: string;
  readonly accuracy: number;
  /** The first step at which 0.9 of the validation labels were right, counted in hundreds. */
  readonly stepsTo90: number | null;
  readonly curve: readonly number[];
  readonly stateBytes: number;
  readonly parameters: number;
  readonly ms: number;
};

/**
 * Trains in setting S: vocabulary 256, 64 tokens, 8 pairs, width 64, a short convolution and the mixer under test, batches of
 * 64 out of 20,000 examples, AdamW at 0.002 falling along a cosine. A run is done once and kept.
 */
export function trained(
  workbench: Workbench,
  { mixer, seed = 0, steps = 2500, rate = 2e-3, task }: Run,
): Promise<Trained> {
  const config = readConfig({
    seed,
    task: { name: 'mqar', vocabulary: 256, length: 64, pairs: 8, ...task },
    model: { width: 64, layers: ['base-conv', mixer] },
    training: { steps, batch: 64, rate },
    evaluateEvery: steps < 100 ? 0 : 100,
  });
  return workbench.once(`train ${JSON.stringify(config)}`, async () => {
    const { test, stateBytes, parameters, validation, ms } = await trainOn(workbench, config, `${mixer}, seed ${seed}`);
    return {
      ...{ mixer, accuracy: test.accuracy, stateBytes, parameters, ms: Math.round(ms) },
      stepsTo90: validation.find(({ accuracy }) => accuracy >= 0.9)?.step ?? null,
      curve: validation.map(({ accuracy }) => Number(accuracy.toFixed(3))),
    };
  });
}
