import type { Paper } from '@loci/evaluate';
import { paper as based } from './based/paper.ts';
import { paper as dhsa } from './dhsa/paper.ts';
import { paper as duoAttention } from './duo-attention/paper.ts';
import { paper as emLlm } from './em-llm/paper.ts';
import { paper as hipAttention } from './hip-attention/paper.ts';
import { paper as lightningAttention } from './lightning-attention/paper.ts';
import { paper as neighborhoodAttention } from './neighborhood-attention/paper.ts';
import { paper as powerAttention } from './power-attention/paper.ts';
import { paper as qserve } from './qserve/paper.ts';
import { paper as razorAttention } from './razor-attention/paper.ts';
import { paper as retrievalAttention } from './retrieval-attention/paper.ts';
import { paper as retrievalHead } from './retrieval-head/paper.ts';
import { paper as s2Attention } from './s2-attention/paper.ts';
import { paper as snapkv } from './snapkv/paper.ts';
import { paper as zoology } from './zoology/paper.ts';

/** The papers whose claims are programs, in the order of their names. */
export const papers: readonly Paper[] = [
  based,
  dhsa,
  duoAttention,
  emLlm,
  hipAttention,
  lightningAttention,
  neighborhoodAttention,
  powerAttention,
  qserve,
  razorAttention,
  retrievalAttention,
  retrievalHead,
  s2Attention,
  snapkv,
  zoology,
];
