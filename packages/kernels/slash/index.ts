import { pageSlots } from '../append/index.ts';
import { type BlockLists, listWords } from '../attend/index.ts';
import { type Command, command } from '../command.ts';

/** How much of each is read. */
export interface Crossing {
  /** Columns that are chosen, each of `width` slots. */
  readonly columns: number;
  readonly width: number;
  /** Diagonals that are chosen. */
  readonly diagonals: number;
  /** Slots at the beginning that are always read. */
  readonly sinks: number;
  /** Diagonals that are always read: a query's own and those next to it. */
  readonly nearest: number;
}

export interface SlashLists extends Crossing {
  /** Address of float32 [sampled, h, stride], which `weigh` writes for the last rows. */
  readonly weights: number;
  readonly sampled: number;
  readonly stride: number;
  readonly h: number;
  readonly g: number;
  /** Address of [g] head entries: used slots are those before the n rows, which have been appended by now. */
  readonly heads: number;
  readonly n: number;
  /** The most slots of a head, the n rows included. */
  readonly slots: number;
  /** Lists of blocks of rows and query heads, with room for all pages. */
  readonly lists: BlockLists;
  /** Room for `slashRoom` bytes. */
  readonly room: number;
  /** Address of int64 [3], to whose third the pairs of a sampled row and a slot are added. */
  readonly counts: number;
}

/** Bytes that `slashLists` needs for itself. */
export function slashRoom({ h, ...of }: Pick<SlashLists, 'h' | 'slots' | 'columns' | 'diagonals'>): number {
  return h * roomOfHead(of);
}

function roomOfHead({ slots, columns, diagonals }: Pick<SlashLists, 'slots' | 'columns' | 'diagonals'>): number {
  const words = slots + 10 + 2 * slots + columns + diagonals + Math.ceil(slots / pageSlots);
  return Math.ceil(words / 16) * 64;
}

/**
 * What blocks of rows read, judged by the attention of the last of them: the slots that most is paid to (columns), and those
 * as far behind their queries as most is paid to (diagonals). The vertical-slash pattern of MInference (Jiang et al. 2024,
 * arXiv 2407.02490, algorithm 2).
 */
export function slashLists(a: SlashLists): Command {
  return command('slashLists', [
    ...[a.weights, a.sampled, a.h, a.g, a.stride, a.heads, a.n, a.lists.rows],
    ...[a.width, a.columns, a.diagonals, a.sinks, a.nearest],
    ...[a.lists.address, 4 * listWords(a.lists.capacity), a.room, roomOfHead(a), a.counts],
  ]);
}
