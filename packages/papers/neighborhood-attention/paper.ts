import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'neighborhood-attention',
  title: 'Faster Neighborhood Attention: Reducing the O(n²) Cost of Self Attention at the Threadblock Level',
  authors: 'Hassani, Hwu, Shi',
  year: 2024,
  url: 'https://arxiv.org/abs/2403.04690',
  claims,
};
