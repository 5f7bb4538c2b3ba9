import type { Paper } from '@loci/evaluate';

/** The papers whose claims are programs, in the order of their names. */
export const papers: readonly Paper[] = [];
