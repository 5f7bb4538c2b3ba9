import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'duo-attention',
  title: 'DuoAttention: Efficient Long-Context LLM Inference with Retrieval and Streaming Heads',
  authors: 'Xiao, Tang, Zuo, Guo, Yang, Tang, Fu, Han',
  year: 2024,
  url: 'https://arxiv.org/abs/2410.10819',
  claims,
};
