/** Methods from papers, each in a folder of its own. */
export { streamingLlm } from './baselines/streaming-llm.ts';
export { duoAttention } from './duo-attention/keep.ts';
export { type HeadScores, readHeadScores } from './heads/scores.ts';
export type { MethodFactory } from './methods/define.ts';
export { papers } from './papers.ts';
export { razorAttention } from './razor-attention/keep.ts';
export { induction, inductionScores } from './razor-attention/probe.ts';
export { methods, parseMethod, parseMethods } from './registry.ts';
export { snapkv } from './snapkv/keep.ts';
