/** Tasks with exact generators, scores, statistics, a store of results; comparisons of methods, and claims of papers. */
export * from './compare/index.ts';
export { rowCells, rowHead } from './compare/markdown.ts';
export type { Claim, Finding, Paper, Workbench } from './reproduce/claim.ts';
export { reproductionMarkdown } from './reproduce/markdown.ts';
export { type JudgedClaim, type ReproduceOptions, type Reproduction, reproduce } from './reproduce/run.ts';
export * from './results/index.ts';
export * from './scores/index.ts';
export * from './statistics/index.ts';
export * from './tasks/index.ts';
