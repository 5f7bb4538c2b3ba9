/** The laboratory: arrays as expressions, a model shell, and what trains it. */
export type { LayerSize, MixContext, Mixer, Parameters } from './model/mixer.ts';
export { LanguageModel, type Layer, type ModelShape } from './model/model.ts';
export { filled, initialNumbers, type ParameterSpec, type ParameterSpecs, weights } from './model/parameters.ts';
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
export { Program } from './wasm/program.ts';
