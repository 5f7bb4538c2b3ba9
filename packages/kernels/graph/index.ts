import { type BlockLists, listWords } from '../attend/index.ts';
import { type Command, command, floatWord } from '../command.ts';

/**
 * Keys of the heads of one layer as integers, and for every query head a graph over those of its key/value head: where a
 * search begins, and which keys it goes on to from each. Keys have numbers, 0 … count − 1, in the order of their slots.
 */
export interface Graph {
  readonly h: number;
  readonly g: number;
  /** A multiple of 16. */
  readonly d: number;
  /** Keys that there is room for in every head. */
  readonly room: number;
  /** Address of int32 [g]: how many there are. */
  readonly counts: number;
  /** Address of int16 [g, room, d] (`graphRows`). */
  readonly rows: number;
  /** Address of int32 [h]: the key nearest to the mean of all. */
  readonly starts: number;
  /** Address of [h, room, capacity + 1] of how many neighbours a key has, and which (`linkBytes`); 0: there is no graph. */
  readonly links: number;
  /** Neighbours that a key has room for. */
  readonly capacity: number;
}

/** Keys whose numbers fit 16 bits; of more, neighbours take 32. */
const narrowKeys = 65_536;

function linkShift(room: number): 1 | 2 {
  return room <= narrowKeys ? 1 : 2;
}

/** Bytes of scratch a thread needs for all of them: less than attention does. */
export const graphScratch = 16_384;

/** Bytes of the neighbours of one query head. */
export function linkBytes({ room, capacity }: Pick<Graph, 'room' | 'capacity'>): number {
  return (room * (capacity + 1)) << linkShift(room);
}

/** The length that a vector has as integers: no product of two, and no part of one, is beyond 2³¹. */
export const rowLength = 32_767;

export interface GraphRows {
  /** Address of float32 [n, stride], of which the first [heads, d] are vectors; [n, heads, d] by default. */
  readonly x: number;
  readonly stride?: number;
  readonly n: number;
  readonly heads: number;
  readonly d: number;
  /** Address of int16 [heads, room, d]. */
  readonly out: number;
  readonly room: number;
  /** Where the first row goes; behind the last place comes the first. */
  readonly first: number;
  /** What length becomes `rowLength`; 0: that of every row by itself. A longer row gets `rowLength` all the same. */
  readonly norm: number;
  readonly join?: boolean;
}

/** Rounds vectors to integers of 16 bits. Ranks by inner product stay: rows of one head have one scale, queries each their own. */
export function graphRows({ x, stride, n, heads, d, out, room, first, norm, join }: GraphRows): Command {
  return command('graphRows', [x, n, heads, d, out, room, first, floatWord(norm), stride ?? heads * d], join);
}

export interface GraphNearest {
  /** Address of int16 [h, places, d], of which the first `count` are queries. */
  readonly queries: number;
  readonly count: number;
  readonly places: number;
  /** Address of int32 [g, places]: how many of a head's keys each query sees. */
  readonly limits: number;
  /** Address of int64 [h, places, neighbours], written: the nearest keys of a query, of which only the first is in its place. */
  readonly nearest: number;
  readonly neighbours: number;
}

/** Finds for every query its exact nearest keys; of a query that sees fewer than wanted, none. */
export function graphNearest(graph: Graph, one: GraphNearest, join = true): Command {
  const { h, g, d, rows, room } = graph;
  const words = [one.queries, one.count, one.places, h, g, d, rows, room, one.limits, one.nearest, one.neighbours];
  return command('graphNearest', words, join);
}

export interface GraphLink {
  /** Neighbours that a key gets of queries, and as many again of the search for it. */
  readonly degree: number;
  /** Best keys that the search for a key holds; at least 1. */
  readonly pool: number;
  /** Address of int32 [g]: keys that are in the graph already. */
  readonly from: number;
  /** What queries say; no queries where there is none. */
  readonly queries?: Pick<GraphNearest, 'nearest' | 'count' | 'places' | 'neighbours'>;
  /** Room for `graphLinkWork` bytes. */
  readonly work: number;
}

/** Bytes that `graphLink` works in for one query head. */
function linkWork(room: number, pool: number, places: number): number {
  // In the order of link.assembly.ts; the mean takes what a row takes.
  return Math.ceil((8 * (room + 64) + 8 * pool + 4 * (room + places) + room / 8 + 8 + 4096) / 64) * 64;
}

export function graphLinkWork({ h, room }: Graph, { pool, queries }: Omit<GraphLink, 'work'>): number {
  return h * linkWork(room, pool, queries?.places ?? 0);
}

/** Links the keys from `from` on into the graphs of a layer, one query head after the other. */
export function graphLink(graph: Graph, one: GraphLink, join = true): Command {
  const { h, g, d, room, capacity } = graph;
  const { nearest = 0, count = 0, places = 0, neighbours = 0 } = one.queries ?? {};
  const words = [
    ...[graph.counts, graph.rows, room, h, g, d, graph.links, capacity, linkShift(room), graph.starts],
    ...[one.degree, one.pool, one.from, nearest, count, places, neighbours],
    ...[one.work, linkWork(room, one.pool, places)],
  ];
  return command('graphLink', words, join);
}

export interface GraphSearch {
  /** Address of float32 [n, h, d]. */
  readonly queries: number;
  readonly n: number;
  /** Keys that are found for every query and head. */
  readonly k: number;
  /** Best keys that a search holds, at least k: more are found the more there are. */
  readonly pool: number;
  /** Address of [g] head entries; the n rows' own slots are behind the used ones. */
  readonly heads: number;
  /** Slot of the first key. Slots before it, and those behind the last key, are read in any case. */
  readonly first: number;
  /** The largest number of slots of a head, the n rows included. */
  readonly slots: number;
  /** Written: a list for every row and query head, with room for `graphPages` pages. */
  readonly lists: BlockLists;
  /** Address of int64 [3]; to the third the keys are added that were scored. */
  readonly counts: number;
  /** Room for `graphSearchWork` bytes. */
  readonly work: number;
}

/** Bytes that `graphSearch` works in for one row and query head. */
function searchWork(d: number, pool: number, slots: number): number {
  return Math.ceil((2 * d + 8 * pool + 4 * (Math.ceil(slots / 32) + 1)) / 64) * 64;
}

export function graphSearchWork(
  { h, d }: Graph,
  { n, pool, slots }: Pick<GraphSearch, 'n' | 'pool' | 'slots'>,
): number {
  return n * h * searchWork(d, pool, slots);
}

/** Searches the graphs of a layer, or all keys where there are none, and writes what is to be read as lists. */
export function graphSearch(graph: Graph, s: GraphSearch, join = true): Command {
  const { h, g, d, room, capacity } = graph;
  const words = [
    ...[graph.counts, graph.rows, room, h, g, d, graph.links, capacity, linkShift(room), graph.starts],
    ...[s.queries, s.n, s.k, s.pool, s.heads, s.first, s.lists.address, 4 * listWords(s.lists.capacity)],
    ...[s.counts, s.work, searchWork(d, s.pool, s.slots)],
  ];
  return command('graphSearch', words, join);
}
