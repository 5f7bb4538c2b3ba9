import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'based',
  title: 'Simple linear attention language models balance the recall-throughput tradeoff',
  authors: 'Arora et al.',
  year: 2024,
  url: 'https://arxiv.org/abs/2402.18668',
  claims,
};
