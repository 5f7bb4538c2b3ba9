import type { Paper } from '@loci/evaluate';
import { paper as dhsa } from './dhsa/paper.ts';
import { paper as duoAttention } from './duo-attention/paper.ts';
import { paper as qserve } from './qserve/paper.ts';
import { paper as razorAttention } from './razor-attention/paper.ts';
import { paper as retrievalHead } from './retrieval-head/paper.ts';
import { paper as snapkv } from './snapkv/paper.ts';

/** The papers whose claims are programs, in the order of their names. */
export const papers: readonly Paper[] = [dhsa, duoAttention, qserve, razorAttention, retrievalHead, snapkv];
