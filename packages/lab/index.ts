/** The laboratory: arrays as expressions, a model shell, and what trains it. */

export type { LayerSize, Mixer, Parameters } from './model/mixer.ts';
export { LanguageModel, type Layer, type ModelShape } from './model/model.ts';
export { filled, type ParameterSpec, type ParameterSpecs, weights } from './model/parameters.ts';
export { type AdamSettings, type Batch, type BatchShape, Learner, type LearnerState } from './training/learner.ts';
export { openTrainingDevice } from './wasm/device.ts';
export { Program } from './wasm/program.ts';
