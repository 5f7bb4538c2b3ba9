/** Methods from papers, each in a folder of its own. */
export * from './baselines/index.ts';
export type { MethodFactory } from './methods/define.ts';
export { papers } from './papers.ts';
export { qserve } from './qserve/codec.ts';
export { kv4 } from './qserve/store.ts';
export { methods, parseMethod, parseMethods } from './registry.ts';
export { snapkv } from './snapkv/keep.ts';
