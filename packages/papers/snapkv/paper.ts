import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'snapkv',
  title: 'SnapKV: LLM Knows What You are Looking for Before Generation',
  authors: 'Li et al.',
  year: 2024,
  url: 'https://arxiv.org/abs/2404.14469',
  claims,
};
