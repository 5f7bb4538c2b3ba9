import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'power-attention',
  title: 'PowerAttention: Exponentially Scaling of Receptive Fields for Effective Sparse Attention',
  authors: 'Chen, Xu, An, Wang, Zhang, Chen, Liang, Wei, Liang, Xiao, Wang',
  year: 2025,
  url: 'https://arxiv.org/abs/2503.03588',
  claims,
};
