/** The engine: model file → tokens. */
export {
  type KernelBuild,
  type KernelTime,
  kernelBuilds,
  type Limits,
  Profile,
  type ProgramObserver,
  type ProgramTime,
} from '@loci/device';
export { type Attend, type Attending, type Beside, dense, type Selection } from './axes/attend.ts';
export type { Hook, LayerView, Moment, Ran, Settling } from './axes/hook.ts';
export {
  type ExtraSlot,
  everything,
  type Keep,
  type Keeper,
  type Kept,
  type Reading,
  type Sight,
} from './axes/keep.ts';
export type { Decision, Host, Method, ModelFacts, Needs, Saved, SavedBlocks } from './axes/method.ts';
export type { AttentionLayer, Mixers, MixLayer, MixSize, MixView, RowFactors, StateLayer } from './axes/mix.ts';
export type { Probe, Probing } from './axes/probe.ts';
export type { Read, Remember, Remembering } from './axes/remember.ts';
export type { Steer, Steering } from './axes/steer.ts';
export { isPageFormat, pages, type Store } from './axes/store.ts';
export { extraPosition, type KvCache } from './cache/cache.ts';
export type { LayerRows, MatrixRole, WeightCodec } from './decoder/codec.ts';
export type { LoadProgress } from './decoder/weight-loader.ts';
export type { Precision } from './decoder/workspace.ts';
export { type ErrorCode, LociError } from './errors.ts';
export type { Architecture } from './families/architecture.ts';
export type { MixedConfig } from './families/mixed.ts';
export { readGguf } from './format/gguf-read.ts';
export type { DownloadProgress } from './format/hub-progress.ts';
export type { ListedModel } from './format/locate-list.ts';
export { memorySource } from './format/memory-source.ts';
export { type MixedTensor, writeMixed } from './format/mixed-file.ts';
export { readSafetensors } from './format/safetensors-read.ts';
export { writeSafetensors } from './format/safetensors-write.ts';
export type { StoredTensor } from './format/types.ts';
export { measureLimits } from './limits.ts';
export {
  defaultModel,
  type LoadModelOptions,
  type LocateModelOptions,
  listModels,
  loadModel,
  loadTokenizer,
} from './load.ts';
export type { ScratchFile } from './platform/types.ts';
export type { GenerateOptions, GenerationResult, Prefilled, Token } from './session/generate.ts';
export type { MethodSet, Reads } from './session/methods.ts';
export type { LoadOptions, Model, OpenOptions } from './session/model.ts';
export type { SamplingOptions } from './session/sampler.ts';
export type { Burst } from './session/scheduler.ts';
export type { ReadOptions, ReadProgress } from './session/sequence.ts';
export type { Prompt, Scores, Session } from './session/session.ts';
export type { ChatMessage } from './text/chat-template.ts';
export type { Tokenizer } from './text/types.ts';
