import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'retrieval-attention',
  title: 'RetrievalAttention: Accelerating Long-Context LLM Inference via Vector Retrieval',
  authors: 'Liu et al.',
  year: 2024,
  url: 'https://arxiv.org/abs/2409.10516',
  claims,
};
