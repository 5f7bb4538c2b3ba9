import { type PageFormat, pageSlots } from '../append/index.ts';
import {
  type Attend,
  attend,
  attendScratch,
  type BlockLists,
  listWords,
  mergeParts,
  partialFloats,
  splitsOf,
} from '../attend/index.ts';
import { attendReference, isSeen, type Seen } from '../attend/reference.ts';
import type { Machine } from './machine.ts';
import { type Fill, floats, ints, random, unit } from './numbers.ts';
import { decodePage, encodePage, type PlacedHead, placeHeads, type Slot } from './pages.ts';

/** Queries of n tokens and what the pages of every head hold, the n tokens' own keys and values last. */
export interface Problem {
  readonly format: PageFormat;
  readonly n: number;
  readonly h: number;
  readonly g: number;
  readonly d: number;
  readonly window: number;
  readonly scale: number;
  /** [n, h, d] */
  readonly queries: Float32Array;
  /** [n] */
  readonly positions: Int32Array;
  readonly heads: readonly PlacedHead[];
  readonly lists?: Lists;
}

/** What blocks of queries read. */
export interface Lists {
  /** Queries that share a list. */
  readonly rows: number;
  /** Heads that have lists of their own: those of keys or those of queries. */
  readonly heads: number;
  /** [blocks][heads] of pages, ascending, and of the slots in them. */
  readonly entries: readonly (readonly (readonly Listed[])[])[];
}

export interface Listed {
  readonly page: number;
  /** A set: bit s is slot s. */
  readonly slots: number;
}

export interface Sizes {
  readonly seed: number;
  readonly format: PageFormat;
  readonly n: number;
  readonly group: number;
  readonly g: number;
  readonly d: number;
  readonly window: number;
  /** Slots of each head before the n tokens, drawn up to this many for every head by itself. */
  readonly mostUsed: number;
  readonly fill?: Fill;
  /** Whether heads have sinks, windows and biases of their own. */
  readonly sight?: boolean;
}

/** A random problem: heads of different lengths, whose kept slots have positions with gaps, as after eviction. */
export function problem({
  seed,
  format,
  n,
  group,
  g,
  d,
  window,
  mostUsed,
  fill = 'normal',
  sight = false,
}: Sizes): Problem {
  const next = random(seed);
  const h = g * group;
  const start = 2 * mostUsed + 3;
  const positions = ascending(n, next).map((position) => position + start);
  const heads = Array.from({ length: g }, () => {
    const used = Math.floor(next() * (mostUsed + 1));
    const kept = ascending(used, next);
    const slots = [...kept, ...positions].map((position): Slot => {
      return { position, key: floats(d, next, fill), value: floats(d, next, fill) };
    });
    return { used, slots: asStored(format, d, slots), ...(sight && sightOf(start, next)) };
  });
  const scale = Math.fround(1 / Math.sqrt(d));
  return { format, n, h, g, d, window, scale, queries: floats(n * h * d, next), positions, heads };
}

/** Sinks, a window and a bias, each of which may be missing. */
function sightOf(start: number, next: () => number): { sinks: number; window: number; bias: number } {
  const some = (value: number) => (next() < 0.3 ? 0 : value);
  const sinks = Math.floor(some(next() * 20));
  return { sinks, window: Math.floor(some(1 + next() * start)), bias: some(Math.fround(6 * next() - 1)) };
}

/** What a head's queries are compared with, as pages hold it. */
interface SeenSlots extends Seen {
  readonly slots: readonly Slot[];
}

/** What the queries of a head see: its own window or the layer's, whichever is narrower. */
export function seenBy(p: Problem, head: number): SeenSlots {
  const { slots = [], sinks = 0, window: own = 0, bias = 0 } = p.heads[head] ?? {};
  const windows = [own, p.window].filter((window) => window > 0);
  return { slots, scale: p.scale, sinks, bias, window: windows.length > 0 ? Math.min(...windows) : 0 };
}

/** Positions that ascend by 1 mostly, and now and then by 2 or 3; below twice their number. */
function ascending(count: number, next: () => number): Int32Array {
  const steps = ints(count, next, 0, 8);
  let position = -1;
  return steps.map((step) => {
    position += step === 0 && count > 1 ? 2 : 1;
    return position;
  });
}

function asStored(format: PageFormat, d: number, slots: readonly Slot[]): Slot[] {
  return Array.from({ length: Math.ceil(slots.length / pageSlots) }, (_, page) => {
    let part = slots.slice(page * pageSlots, (page + 1) * pageSlots);
    // Until it stays the same when it is stored again: a scale that is a subnormal half may round away its greatest number.
    for (let bytes = encodePage(format, d, part); ; ) {
      part = decodePage(format, d, bytes, part.length);
      const again = encodePage(format, d, part);
      if (Buffer.compare(bytes, again) === 0) return part;
      bytes = again;
    }
  }).flat();
}

/**
 * Attention of the tokens from `from` to `to`, [to − from, h, d]. `slots` is what the caller says a head uses at most,
 * which decides whether the keys are split.
 */
export function runAttend(
  machine: Machine,
  p: Problem,
  from = 0,
  to = p.n,
  slots = mostSlots(p),
  mayRound = false,
): Float32Array {
  const { h, g, d } = p;
  const n = to - from;
  const heads = p.heads.map((head) => ({ ...head, used: head.used + from }));
  machine.reset();
  const out = machine.output(4 * n * h * d);
  const call: Attend = {
    ...p,
    queries: machine.input(p.queries.subarray(from * h * d, to * h * d)),
    positions: machine.input(p.positions.subarray(from, to)),
    heads: placeHeads(machine, p.format, d, heads, random(n)),
    partials: machine.output(4 * partialFloats(n, h, d, splitsOf(n, slots))),
    lists: p.lists && placeLists(machine, p.lists),
    ...{ n, slots, out, mayRound },
  };
  machine.run([attend(call), ...(mergeParts(call) ? [mergeParts(call)!] : [])], attendScratch(h, g, d));
  return machine.floats(out, n * h * d);
}

export function placeLists(machine: Machine, { rows, heads, entries }: Lists): BlockLists {
  const capacity = Math.max(...entries.flat().map(({ length }) => length));
  const words = entries.flat().flatMap((list) => {
    const filled = [list.length, ...list.flatMap(({ page, slots }) => [page, slots])];
    return [...filled, ...Array.from({ length: listWords(capacity) - filled.length }, () => 0)];
  });
  return { address: machine.input(Int32Array.from(words)), rows, heads, capacity };
}

/** What a row of queries [token, head] sees: of all that its head could, what its list names. */
function seenByRow(p: Problem, row: number): SeenSlots {
  const { h, g, lists } = p;
  const seen = seenBy(p, Math.floor((row % h) / (h / g)));
  if (!lists) return seen;
  const head = Math.floor((row % h) / (h / lists.heads));
  const list = lists.entries[Math.floor(row / h / lists.rows)]?.[head] ?? [];
  const isListed = (slot: number) =>
    list.some(({ page, slots }) => page === Math.floor(slot / pageSlots) && ((slots >>> (slot % pageSlots)) & 1) === 1);
  const listed = seen.slots.filter((_, slot) => isListed(slot));
  const { bias = 0, ...rest } = seen;
  return { ...rest, slots: listed, bias: isListed(0) ? bias : 0 };
}

export function mostSlots({ heads }: Problem): number {
  return Math.max(...heads.map(({ slots }) => slots.length));
}

/**
 * What the result should be, and how far float32 may be from it. Scores are sums of d products, of the terms that stored keys are sums of; weights take that error
 * twice (their own and the largest score's), the exponential's 2 · 10⁻⁷ for themselves and for every page at which the
 * largest score changed, and the rounding of score − largest; then come two sums over the keys.
 */
export function expectedAttention(p: Problem): { values: Float64Array; tolerances: Float64Array } {
  const { n, h, d, scale } = p;
  const values = new Float64Array(n * h * d);
  const tolerances = new Float64Array(n * h * d);
  for (let row = 0; row < n * h; row++) {
    const query = p.queries.subarray(row * d, (row + 1) * d);
    const position = p.positions[Math.floor(row / h)] ?? Number.NaN;
    const seen = seenByRow(p, row);
    const { slots } = seen;
    const sizes = slots.map((slot) => ({
      ...slot,
      value: slot.sizes?.value ?? Float64Array.from(slot.value, Math.abs),
    }));
    values.set(attendReference(query, position, seen), row * d);
    let largest = 0;
    for (const { position: at, key, sizes: { key: size = key } = {} } of slots) {
      if (!isSeen(position, at, seen)) continue;
      let sum = 0;
      for (let c = 0; c < d; c++) sum += Math.abs((query[c] ?? 0) * (size[c] ?? 0) * scale);
      largest = Math.max(largest, sum + Math.abs(seen.bias ?? 0));
    }
    const pages = slots.length / pageSlots + 2;
    const weight = 2 * (d + 4) * unit * largest + 2e-7 * pages + 4 * unit * Math.min(2 * largest, 90);
    const relative = 2 * weight + (2 * slots.length + 8 * pages) * unit;
    const size = attendReference(query, position, { ...seen, slots: sizes });
    // Weights that are no normal number are 0.
    const lost = (c: number) => sizes.reduce((sum, { value }) => sum + 1.2e-38 * (value[c] ?? 0), 1e-44);
    tolerances.set(
      size.map((value, c) => relative * value + lost(c)),
      row * d,
    );
  }
  return { values, tolerances };
}
