/** Tasks with exact generators, scores, statistics, and a store of results. */
export { Random } from './random.ts';
export * from './results/index.ts';
export * from './scores/index.ts';
export * from './statistics/index.ts';
export * from './tasks/index.ts';
