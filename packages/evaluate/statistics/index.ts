export { type BootstrapOptions, bootstrap, type Estimate, pairedBootstrap } from './bootstrap.ts';
export { mean, median, pearson, quantile, spearman } from './summary.ts';
