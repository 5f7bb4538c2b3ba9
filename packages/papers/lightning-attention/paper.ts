import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'lightning-attention',
  title: 'Various Lengths, Constant Speed: Efficient Language Modeling with Lightning Attention',
  authors: 'Qin et al.',
  year: 2024,
  url: 'https://arxiv.org/abs/2405.17381',
  claims,
};
