/** Tasks with exact generators, scores, statistics, a store of results, and what a claim is. */
export { Random } from './random.ts';
export type { Claim, Finding, Paper, Workbench } from './reproduce/claim.ts';
export * from './results/index.ts';
export * from './scores/index.ts';
export * from './statistics/index.ts';
export * from './tasks/index.ts';
