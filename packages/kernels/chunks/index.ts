import { type PageFormat, pageFormats, pageSlots } from '../append/index.ts';
import { type BlockLists, listWords } from '../attend/index.ts';
import { type Command, command } from '../command.ts';

/** Chunks of consecutive tokens, on the device. */
export interface Chunks {
  /** Address of int32 [chunks]: the position behind the last of each. */
  readonly ends: number;
  /** Address of their number, an int32. */
  readonly count: number;
  /** Addresses of what is known of their keys in a layer: float32 [chunks, d], and int32 [chunks] slots of all heads. */
  readonly sums: number;
  readonly slots: number;
}

interface Heads {
  readonly g: number;
  readonly d: number;
  /** Address of [g] head entries. */
  readonly heads: number;
  /** Slots behind the used ones of every head that have been written by now. */
  readonly appended: number;
}

export interface ChunkSums extends Heads {
  readonly format: PageFormat;
  readonly chunks: Chunks;
  /** The first chunk whose keys are to be summed up: those before it are known. */
  readonly first: number;
}

/** Sums up the keys of chunks over all heads, whatever the format of the pages. */
export function chunkSums({ heads, g, d, format, appended, chunks, first }: ChunkSums): Command {
  const { ends, count, sums, slots } = chunks;
  return command('chunkSums', [heads, g, d, pageFormats.indexOf(format), appended, ends, count, first, sums, slots]);
}

export interface ChunkLists extends Heads {
  /** Address of float32 [n, h, d]. */
  readonly queries: number;
  readonly n: number;
  readonly h: number;
  /** Address of int32 [n], ascending. */
  readonly positions: number;
  /** Rows that read the same positions. */
  readonly rows: number;
  /** A key is seen when query position − key position < window; 0 means all. */
  readonly window: number;
  /** Positions that a block reads at most, of which so many are the nearest, and then so many the first that it may. */
  readonly budget: number;
  readonly local: number;
  readonly global: number;
  /** Blocks with a row from this on read everything. */
  readonly wholeFrom: number;
  readonly chunks: Chunks;
  /** The most chunks there can be. */
  readonly most: number;
  /** What a chunk's mean key is multiplied with: the square root of its length, or nothing. */
  readonly length: 'root' | 'none';
  /** Lists of blocks of `rows` rows, one for every key/value head, with room for all pages. */
  readonly lists: BlockLists;
  /** Room for `chunkRoom` bytes. */
  readonly room: number;
  /** The last of the positions. */
  readonly last: number;
  /** Address of int64 [3], to whose third pairs of a block and a chunk that were compared are added. */
  readonly counts: number;
}

/** Bytes that `chunkLists` needs for itself. */
export function chunkRoom({ n, rows, d, most, last }: Pick<ChunkLists, 'n' | 'rows' | 'd' | 'most' | 'last'>): number {
  return Math.ceil(n / rows) * roomOfBlock(d, most, last);
}

function roomOfBlock(d: number, most: number, last: number): number {
  return Math.ceil((4 * d + 8 * most + 8 * (Math.floor(last / pageSlots) + 2)) / 64) * 64;
}

/**
 * Chooses what blocks of queries read: the nearest positions, the first ones, and those of the chunks that are most like
 * the block's queries, all in their order, until there are `budget` of them. Alike is a product of means over heads.
 */
export function chunkLists(a: ChunkLists): Command {
  const { ends, count, sums, slots } = a.chunks;
  return command('chunkLists', [
    ...[a.queries, a.n, a.h, a.g, a.d, a.heads, a.appended, a.positions, a.rows, a.window],
    ...[a.budget, a.local, a.global, Math.min(a.wholeFrom, a.n), ends, count, sums, slots, a.length === 'root' ? 1 : 0],
    ...[a.lists.address, 4 * listWords(a.lists.capacity), a.room, roomOfBlock(a.d, a.most, a.last), a.counts],
  ]);
}
