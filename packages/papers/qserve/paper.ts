import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'qserve',
  title: 'QServe: W4A8KV4 Quantization and System Co-design for Efficient LLM Serving',
  authors: 'Lin et al.',
  year: 2024,
  url: 'https://arxiv.org/abs/2405.04532',
  claims,
};
