import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'zoology',
  title: 'Zoology: Measuring and Improving Recall in Efficient Language Models',
  authors: 'Arora et al.',
  year: 2023,
  url: 'https://arxiv.org/abs/2312.04927',
  claims,
};
