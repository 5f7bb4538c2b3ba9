import { availableParallelism } from 'node:os';
import type { Workbench } from '@loci/evaluate';
import { type TrainConfig, type TrainOptions, type TrainResult, train } from '@loci/lab';
import { trainingParts } from '../mixers.ts';

/** Trains a model for a claim. @param what is done, as progress says it. */
export function trainOn(
  workbench: Workbench,
  config: TrainConfig,
  what: string,
  options: Partial<TrainOptions> = {},
): Promise<TrainResult> {
  return train(config, trainingParts, {
    threads: Math.min(8, availableParallelism()),
    signal: workbench.signal,
    onProgress: ({ step }) => workbench.progress(what, step / config.training.steps),
    ...options,
  });
}
