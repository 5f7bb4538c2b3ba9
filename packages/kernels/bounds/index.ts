import { type PageFormat, pageFormats, pageSlots } from '../append/index.ts';
import { type BlockLists, listWords } from '../attend/index.ts';
import { type Command, command } from '../command.ts';

interface Heads {
  readonly g: number;
  readonly d: number;
  /** Address of [g] head entries. */
  readonly heads: number;
  /** Address of float32 [pages, g, 2, d]: the least and the greatest number of every channel of a page's keys. */
  readonly bounds: number;
}

export interface PageBounds extends Heads {
  readonly format: PageFormat;
  /** Slots behind the used ones of every head that have been written by now. */
  readonly appended: number;
  /** The first page whose bounds are to be found, and the one to end before. */
  readonly first: number;
  readonly end: number;
}

/** Bytes of the bounds of a page. */
export function boundBytes(g: number, d: number): number {
  return 4 * 2 * g * d;
}

/** Finds the bounds of pages, whatever their format; pages that a head has not are left out. */
export function pageBounds({ heads, g, d, format, appended, first, end, bounds }: PageBounds): Command {
  return command('pageBounds', [heads, g, d, pageFormats.indexOf(format), appended, first, end, bounds]);
}

export interface BoundLists extends Heads {
  /** Address of float32 [n, h, d]. */
  readonly queries: number;
  readonly n: number;
  readonly h: number;
  /** The most slots of a head, the n rows included. */
  readonly slots: number;
  /** Lists of single rows and query heads; they have room for as many pages as are read at most. */
  readonly lists: BlockLists;
  /** Room for `boundRoom` bytes. */
  readonly room: number;
  /** Address of int64 [3], to whose third bounds that a query was compared with are added, two for a page. */
  readonly counts: number;
}

/** Bytes that `boundLists` needs for itself. */
export function boundRoom({ n, h, slots }: Pick<BoundLists, 'n' | 'h' | 'slots'>): number {
  return n * h * roomOfList(slots);
}

function roomOfList(slots: number): number {
  const pages = Math.ceil(slots / pageSlots);
  return 8 * (pages + Math.ceil((pages + 1) / 64));
}

/**
 * The pages that every query reads: its own key's, and those whose bounds allow the largest products with it (Tang et al.
 * 2024, Quest, arXiv 2406.10774, algorithm 1).
 */
export function boundLists({ queries, n, h, g, d, heads, bounds, lists, room, slots, counts }: BoundLists): Command {
  return command('boundLists', [
    ...[queries, n, h, g, d, heads, bounds, lists.capacity, lists.address, 4 * listWords(lists.capacity)],
    ...[room, roomOfList(slots), counts],
  ]);
}
