import type { Paper } from '@loci/evaluate';
import { claims } from './claims.ts';

export const paper: Paper = {
  slug: 'em-llm',
  title: 'Human-inspired Episodic Memory for Infinite Context LLMs',
  authors: 'Fountas, Benfeghoul, Oomerjee, Christopoulou, Lampouras, Bou-Ammar, Wang',
  year: 2024,
  url: 'https://arxiv.org/abs/2407.09450',
  claims,
};
