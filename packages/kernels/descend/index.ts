import { type PageFormat, pageFormats, pageSlots } from '../append/index.ts';
import { type BlockLists, listWords, tileScratch } from '../attend/index.ts';
import { type Command, command } from '../command.ts';

/** Which key block of a stretch stands for it; the order is the number that the kernel knows it by. */
export const representatives = ['first', 'centre', 'last'] as const;
export type Representative = (typeof representatives)[number];

/** What a search looks for and at. Sizes are slots of a head, which lie in the order of their positions. */
export interface Stretches {
  /** Blocks that are found. */
  readonly chunks: number;
  /** Stretches that the search begins and goes on with, for each of them; the paper's is 1. */
  readonly beam: number;
  /** Slots of a key block: a power of two. */
  readonly block: number;
  /** Every which slot of a block is scored. */
  readonly keyStride: number;
  /** Every which row of a block of queries looks, counted from its last. */
  readonly queryStride: number;
  /** Slots at the beginning, up to whole blocks, that are read in any case. */
  readonly sinks: number;
  /** Slots that every query reads in any case, itself and more up to whole blocks; 0 is none, and all are searched. */
  readonly window: number;
  readonly representative: Representative;
}

export interface Descend extends Stretches {
  /** Address of float32 [n, h, d]. */
  readonly queries: number;
  readonly n: number;
  readonly h: number;
  readonly g: number;
  readonly d: number;
  /** As for `attend`: used slots are those before the n tokens, which have been appended by now. */
  readonly heads: number;
  readonly format: PageFormat;
  /** Where the lists go that `attend` reads. */
  readonly lists: BlockLists;
  /** Slots behind those of the n tokens that lists with a window name too, so that they serve as more are written. */
  readonly ahead: number;
  /** Address of int64 [3]; keys scored are added to the last. */
  readonly counts?: number | undefined;
  readonly join?: boolean;
}

/**
 * Lists of the slots that blocks of queries read: sinks, a window, and the key blocks that a halving search ends at. It
 * divides the blocks between sinks and window into `chunks` · `beam` stretches, halves each, keeps those halves whose
 * representative has the greatest product with one of the sampled queries, and goes on until all are single blocks, of which
 * the best `chunks` are read (Lee et al. 2024, HiP Attention, arXiv 2406.09827, where the beam is 1). Where no more blocks are than chunks, lists name everything.
 */
export function descend(a: Descend): Command {
  const words = [
    ...[a.queries, a.n, a.h, a.g, a.d, a.heads, pageFormats.indexOf(a.format)],
    ...[a.lists.address, a.lists.rows, a.lists.heads, 4 * listWords(a.lists.capacity)],
    ...[a.chunks, a.block, a.keyStride, a.queryStride, a.sinks, a.window],
    ...[representatives.indexOf(a.representative), a.ahead, a.counts ?? 0, a.beam],
  ];
  return command('descend', words, a.join);
}

/** Pages that a list has at most, of `rows` queries that share it over `slots` slots. */
export function listCapacity(
  { chunks, block, sinks, window }: Stretches,
  { rows, slots, ahead }: { readonly rows: number; readonly slots: number; readonly ahead: number },
): number {
  const pages = (count: number) => Math.ceil(count / pageSlots);
  const ends = pages(sinks + block) + pages(window + block + rows + ahead) + 2;
  return Math.min(pages(slots + ahead), ends + chunks * Math.max(1, block / pageSlots));
}

/** Bytes of scratch a thread needs for lists of `heads` query heads. */
export function descendScratch(
  { chunks, beam, queryStride }: Stretches,
  { rows, heads, d }: { readonly rows: number; readonly heads: number; readonly d: number },
): number {
  const sampled = Math.ceil(rows / queryStride) * heads;
  // In the order of `searchAt`.
  return 128 + 2 * 4 * pageSlots + tileScratch(sampled, d) + 4 * sampled + chunks * beam * (12 + 24 + 8) + 80;
}
