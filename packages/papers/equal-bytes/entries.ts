import type { PageFormat } from '@loci/kernels';

/** A product of keep × per-head plan × store; the budget is what the bytes allow. */
export interface Entry {
  /** As on a command line, without its budget. */
  readonly keep: string;
  readonly store: PageFormat;
}

const at = (store: PageFormat, ...keeps: readonly string[]): readonly Entry[] => keeps.map((keep) => ({ keep, store }));

/** The methods as their papers have them, in halves. */
export const published: readonly Entry[] = at(
  'f16',
  'snapkv:window=32,kernel=7,pooling=avg',
  'tova',
  'ada-snapkv:window=32,kernel=7,pooling=avg',
  'snapkv:window=32,kernel=1',
  'knorm',
  'pyramidkv:window=32,kernel=7,pooling=avg',
  'streaming-llm',
  'expected-attention',
  'h2o',
  'random',
);

/** What is tried to do better. */
export const products: readonly Entry[] = [
  ...at(
    'f16',
    'snapkv:window=8,kernel=7,pooling=avg',
    'snapkv:window=8,kernel=7,pooling=avg,budgets=pages-model',
    'snapkv:window=32,kernel=7,pooling=avg,budgets=pages-model',
  ),
  ...at('q8', 'snapkv:window=8,kernel=7,pooling=avg'),
  ...at(
    'q4',
    'tova',
    'snapkv:window=1,kernel=1',
    'snapkv:window=1,kernel=7,pooling=avg',
    'snapkv:window=4,kernel=7,pooling=avg',
    'snapkv:window=1,kernel=7,pooling=avg,budgets=pages-model',
    'snapkv:window=4,kernel=7,pooling=avg,budgets=pages-model',
    'snapkv:window=1,kernel=7,pooling=avg,budgets=pages-model,floor=0.5',
    'snapkv:window=32,kernel=7,pooling=avg',
  ),
];
