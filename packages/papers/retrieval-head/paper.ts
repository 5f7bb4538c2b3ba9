import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'retrieval-head',
  title: 'Retrieval Head Mechanistically Explains Long-Context Factuality',
  authors: 'Wu, Wang, Xiao, Peng, Fu',
  year: 2024,
  url: 'https://arxiv.org/abs/2404.15574',
  claims,
};
