import { type PageFormat, pageFormats, pageSlots } from '../append/index.ts';
import { type Command, command, floatWord } from '../command.ts';

export interface Attend {
  /** Addresses of float32 [n, h, d]. */
  readonly queries: number;
  readonly out: number;
  readonly n: number;
  readonly h: number;
  readonly g: number;
  readonly d: number;
  /** As for `append`: used slots are those before the n tokens, which have been appended by now. */
  readonly heads: number;
  /** The largest number of slots a head uses, these n included. */
  readonly slots: number;
  readonly positions: number;
  readonly scale: number;
  /** A key is seen when query position − key position < window; 0 means all. */
  readonly window: number;
  readonly format: PageFormat;
  /** Whether products may be taken in integers: queries and weights, and for many queries also halves, rounded to bytes. */
  readonly mayRound: boolean;
  /** Room for `partialFloats` floats. */
  readonly partials: number;
  /** What is read of the pages; everything where there is none. */
  readonly lists?: BlockLists | undefined;
  /** Address of int64 [2], to which slots read and pairs of a query row and a slot scored are added. */
  readonly counts?: number | undefined;
  /** Where other keys are attended to beside these: which of the rows' partial results are this call's. */
  readonly share?: { readonly first: number; readonly total: number };
  readonly join?: boolean;
}

/**
 * For every block of queries and every head the pages that it reads, ascending, and which of their slots: int32
 * [ceil(n / rows)][heads] lists of { count, count × { page, set of slots } }, one every `2 · capacity + 1` words.
 */
export interface BlockLists {
  readonly address: number;
  /** Queries that share a list. */
  readonly rows: number;
  /** g: one for a key/value head; h: one for every query head. */
  readonly heads: number;
  /** Pages that a list has room for. */
  readonly capacity: number;
}

/** All 32 slots of a page. */
export const allSlots = -1;

/** Words of a list with room for so many pages. */
export function listWords(capacity: number): number {
  return 2 * capacity + 1;
}

/** Up to this many tokens the keys, not the queries, are shared out over the threads. */
const splitTokens = 8;
/** Fixed, so that the order of additions does not depend on the number of threads. */
const splitPages = 16;
/** More pages than there are. */
const unsplit = 2 ** 30;
/** Up to this many rows of queries a page of halves or of 4 bits is read as it lies, and one of 8 bits in short steps. */
const fewRows = 8;
/** How products over pages are taken, in the order of assembly.ts. */
export const attendKinds = ['floats', 'halves', 'int8', 'int4', 'centred', 'kv4'] as const;
export type AttendKind = (typeof attendKinds)[number];

function isFew({ n, h, g, lists }: Attend): boolean {
  return n * (h / (lists?.heads ?? g)) <= fewRows;
}

function kindOf(a: Attend): AttendKind {
  const { format, mayRound } = a;
  if (format === 'f16' && isFew(a)) return 'halves';
  if (!mayRound || format === 'f32') return 'floats';
  if (format === 'q8') return 'int8';
  if (format === 'kv4') return 'kv4';
  return format === 'q4' && isFew(a) ? 'int4' : 'centred';
}

/**
 * Pages whose scores become weights together. The bits of a result depend on it, so that it is one where few queries and
 * many must have the same; and halves, which are read as they come, are not left until their values have been read.
 */
function stepOf(a: Attend): number {
  return isFew(a) && a.mayRound && a.format !== 'f16' && a.format !== 'f32' ? splitPages : 1;
}

/** Rows of queries for which a page is unpacked once, at most. */
const tileRows = 192;

/** Into how many partial results `attend` of n tokens over `slots` keys is split. */
export function splitsOf(n: number, slots: number): number {
  return n <= splitTokens ? Math.max(1, Math.ceil(slots / (splitPages * pageSlots))) : 1;
}

/** Partial results that a call gives of every row. */
export function partsOf({ n, slots, lists }: Attend): number {
  return splitsOf(n, lists ? Math.min(slots, lists.capacity * pageSlots) : slots);
}

/** Floats of `parts` partial results of n tokens; none where there is one, which is the result. */
export function partialFloats(n: number, h: number, d: number, parts: number): number {
  return parts === 1 ? 0 : n * h * parts * (d + 2);
}

/** Bytes of scratch a thread needs. */
export function attendScratch(h: number, g: number, d: number): number {
  return tileScratch(tileTokens(h / g) * (h / g), d);
}

/** Bytes of a tile of so many rows of queries. */
export function tileScratch(rows: number, d: number): number {
  const padded = Math.ceil(rows / 4) * 4;
  // In the order of tile.assembly.ts; few rows over many pages take less than that.
  return (
    128 +
    padded * (8 * d + 4 * pageSlots + 8) +
    64 +
    8 * pageSlots * d +
    512 +
    padded * (d + 8 + 32) +
    4 * d +
    5 * (4 * padded + 16) +
    32 * padded +
    16 * splitPages
  );
}

function tileTokens(group: number): number {
  return Math.max(1, Math.floor(tileRows / group));
}

/**
 * Causal softmax attention over paged keys and values. Few queries over many keys are split by key ranges and joined by
 * partial softmax (Dao et al. 2023, Flash-Decoding): then `mergeParts` must follow, behind a barrier.
 */
export function attend(a: Attend): Command {
  const splits = partsOf(a);
  const { first, total } = a.share ?? { first: 0, total: splits };
  const groups = a.lists?.heads ?? a.g;
  const words = [
    a.queries,
    a.n,
    a.h,
    a.g,
    a.d,
    a.heads,
    a.positions,
    a.out,
    floatWord(a.scale * Math.LOG2E),
    a.window,
    pageFormats.indexOf(a.format),
    tileTokens(a.h / groups),
    total === 1 ? 0 : splits > 1 ? splitPages : unsplit,
    splits,
    a.partials,
    attendKinds.indexOf(kindOf(a)),
    a.lists?.address ?? 0,
    a.lists?.rows ?? a.n,
    groups,
    4 * listWords(a.lists?.capacity ?? 0),
    a.counts ?? 0,
    first,
    total,
    stepOf(a),
  ];
  return command('attend', words, a.join);
}

/** Joins the `parts` partial results of every row; nothing to do where there is one. */
export function mergeParts(a: Attend, parts = partsOf(a)): Command | undefined {
  return parts === 1 ? undefined : command('merge', [a.partials, a.n * a.h, parts, a.d, a.out], a.join);
}
