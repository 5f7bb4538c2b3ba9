import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'razor-attention',
  title: 'RazorAttention: Efficient KV Cache Compression Through Retrieval Heads',
  authors: 'Tang, Lin, Lin, Han, Hong, Yao, Wang',
  year: 2024,
  url: 'https://arxiv.org/abs/2407.15891',
  claims,
};
