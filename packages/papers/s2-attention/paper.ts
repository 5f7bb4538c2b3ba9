import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 's2-attention',
  title: 'S2-Attention: Hardware-Aware Context Sharding Among Attention Heads',
  authors: 'Lin, Zhang, Ge, Ren, Patra, Chaudhary, Peng, Song',
  year: 2024,
  url: 'https://arxiv.org/abs/2407.17678',
  claims,
};
