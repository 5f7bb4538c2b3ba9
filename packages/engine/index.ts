/** The engine: model file → tokens. */
export {
  type KernelBuild,
  type KernelTime,
  type Limits,
  Profile,
  type ProgramObserver,
  type ProgramTime,
} from '@loci/device';
export type { LoadProgress } from './decoder/weights.ts';
export type { Precision } from './decoder/workspace.ts';
export { type ErrorCode, LociError } from './errors.ts';
export type { Architecture } from './families/architecture.ts';
export type { DownloadProgress } from './format/hub-progress.ts';
export type { ListedModel } from './format/locate-list.ts';
export { measureLimits } from './limits.ts';
export {
  defaultModel,
  type LoadModelOptions,
  type LocateModelOptions,
  listModels,
  loadModel,
  loadTokenizer,
} from './load.ts';
export type { GenerateOptions, GenerationResult, Prefilled, Token } from './session/generate.ts';
export type { LoadOptions, Model, OpenOptions } from './session/model.ts';
export type { SamplingOptions } from './session/sampler.ts';
export type { ReadOptions, ReadProgress } from './session/sequence.ts';
export type { Prompt, Scores, Session } from './session/session.ts';
export type { ChatMessage } from './text/chat-template.ts';
export type { Tokenizer } from './text/types.ts';
