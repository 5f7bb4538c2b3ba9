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
  readonly join?: boolean;
}

/** Up to this many tokens the keys, not the queries, are shared out over the threads. */
const splitTokens = 8;
/** Fixed, so that the order of additions does not depend on the number of threads. */
const splitPages = 16;
/** Up to this many rows of queries a page of halves or of 4 bits is read as it lies. */
const fewRows = 8;
/** How products over pages are taken, in the order of assembly.ts. */
export const attendKinds = ['floats', 'halves', 'int8', 'int4', 'centred', 'kv4'] as const;
export type AttendKind = (typeof attendKinds)[number];

function kindOf({ format, n, h, g, mayRound }: Attend): AttendKind {
  const isFew = n * (h / g) <= fewRows;
  if (format === 'f16' && isFew) return 'halves';
  if (!mayRound || format === 'f32') return 'floats';
  if (format === 'q8') return 'int8';
  if (format === 'kv4') return 'kv4';
  return format === 'q4' && isFew ? 'int4' : 'centred';
}

/** Rows of queries for which a page is unpacked once, at most. */
const tileRows = 192;

function splitsOf(n: number, slots: number): number {
  return n <= splitTokens ? Math.max(1, Math.ceil(slots / (splitPages * pageSlots))) : 1;
}

/** Floats of partial results that `attend` writes for n tokens over `slots` keys. */
export function partialFloats(n: number, h: number, d: number, slots: number): number {
  const splits = splitsOf(n, slots);
  return splits === 1 ? 0 : n * h * splits * (d + 2);
}

/** Bytes of scratch a thread needs. */
export function attendScratch(h: number, g: number, d: number): number {
  const rows = Math.ceil((tileTokens(h / g) * (h / g)) / 4) * 4;
  // In the order of tile.assembly.ts.
  return 128 + rows * (8 * d + 4 * pageSlots + 8) + 64 + 8 * pageSlots * d + 512 + rows * (d + 8 + 32 + 8) + 4 * d;
}

function tileTokens(group: number): number {
  return Math.max(1, Math.floor(tileRows / group));
}

/**
 * Causal softmax attention over paged keys and values. Few queries over many keys are split by key ranges and joined by
 * partial softmax (Dao et al. 2023, Flash-Decoding): then `mergeSplits` must follow, behind a barrier.
 */
export function attend(a: Attend): Command {
  const splits = splitsOf(a.n, a.slots);
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
    tileTokens(a.h / a.g),
    splits > 1 ? splitPages : 0,
    splits,
    a.partials,
    attendKinds.indexOf(kindOf(a)),
  ];
  return command('attend', words, a.join);
}

/** Joins what `attend` split; nothing to do where it did not. */
export function mergeSplits(a: Attend): Command | undefined {
  const splits = splitsOf(a.n, a.slots);
  return splits === 1 ? undefined : command('merge', [a.partials, a.n * a.h, splits, a.d, a.out], a.join);
}
