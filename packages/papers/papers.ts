import type { Paper } from '@loci/evaluate';
import { paper as qserve } from './qserve/paper.ts';
import { paper as retrievalHead } from './retrieval-head/paper.ts';

/** The papers whose claims are programs, in the order of their names. */
export const papers: readonly Paper[] = [qserve, retrievalHead];
