/** The laboratory: arrays as expressions, a model shell, and what trains it. */
export type { LayerSize, MixContext, Mixer, Parameters } from './model/mixer.ts';
export { LanguageModel, type Layer, type ModelShape } from './model/model.ts';
export {
  filled,
  initialNumbers,
  type ParameterSpec,
  type ParameterSpecs,
  parametersOf,
  weights,
} from './model/parameters.ts';
export { isKnownToEngine, writeModel } from './model/write.ts';
export { readSweep, type SweepRun } from './sweep/grid.ts';
export { type Point, svgPlot, terminalPlot } from './sweep/plot.ts';
export type { Job, JobReport, JobState, Queue } from './sweep/queue.ts';
export { type SweepOptions, type SweepReport, sweep } from './sweep/sweep.ts';
export { textTask } from './tasks/text.ts';
export { readConfig, type TrainConfig, type TrainConfigInput } from './training/config.ts';
export type { Score } from './training/evaluate.ts';
export { type AdamSettings, type Batch, type BatchShape, Learner, type LearnerState } from './training/learner.ts';
export { rateAt, type Schedule } from './training/schedule.ts';
export { batchOf, batchShape, type Example, type Split, type TrainingTask } from './training/task.ts';
export {
  modelOf,
  type Parts,
  type TrainOptions,
  type TrainProgress,
  type TrainResult,
  train,
} from './training/train.ts';
export { openTrainingDevice } from './wasm/device.ts';
export { evaluateOn } from './wasm/evaluate.ts';
export { Program } from './wasm/program.ts';
