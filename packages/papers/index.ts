/** Methods from papers, each in a folder of its own. */
export * from './baselines/index.ts';
export { dhsa } from './dhsa/attend.ts';
export { duoAttention } from './duo-attention/keep.ts';
export type { HeadProbe } from './heads/head-probe.ts';
export { type HeadScores, readHeadScores } from './heads/scores.ts';
export { hipAttention } from './hip-attention/attend.ts';
export { maskHeads } from './masking/mask-heads.ts';
export { bookMeans, type HeadMeansFile, measureMeans } from './masking/means.ts';
export type { MethodFactory } from './methods/define.ts';
export { papers } from './papers.ts';
export { qserve } from './qserve/codec.ts';
export { kv4 } from './qserve/store.ts';
export { razorAttention } from './razor-attention/keep.ts';
export { induction, inductionScores } from './razor-attention/probe.ts';
export { headProbes, methods, parseMethod, parseMethods } from './registry.ts';
export { retrievalHead } from './retrieval-head/probe.ts';
export { snapkv } from './snapkv/keep.ts';
