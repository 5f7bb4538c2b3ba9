import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'dhsa',
  title: 'Long-Context Modeling with Dynamic Hierarchical Sparse Attention for On-Device LLMs',
  authors: 'Xiong et al.',
  year: 2025,
  url: 'https://arxiv.org/abs/2510.24606',
  claims,
};
