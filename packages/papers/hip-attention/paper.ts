import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'hip-attention',
  title: 'A Training-Free Sub-quadratic Cost Transformer Model Serving Framework with Hierarchically Pruned Attention',
  authors: 'Lee, Park, Lee, Suh, Kim, Jeong, Kim, Lee, Jeon, Hwang',
  year: 2024,
  url: 'https://arxiv.org/abs/2406.09827',
  claims,
};
