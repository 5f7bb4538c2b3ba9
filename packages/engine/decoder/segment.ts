import type { Choice } from '@loci/kernels';
import type { Attending } from '../axes/attend.ts';
import type { Hook, Moment, Ran } from '../axes/hook.ts';
import type { Remembering } from '../axes/remember.ts';
import type { KvCache } from '../cache/cache.ts';

/** Some consecutive tokens of one sequence, and what is wanted of them. */
export interface Segment {
  readonly cache: KvCache;
  readonly input: SegmentInput;
  /** The tokens of the sequence before these; −1 where a row was given as an embedding. */
  readonly before: readonly number[];
  /** Where the tokens stand: [n], ascending, behind everything in the cache. */
  readonly positions: Int32Array;
  readonly moment: Moment;
  /** What methods record, in their order. */
  readonly hooks: readonly Hook[];
  /** What chooses the keys that are read. */
  readonly attending?: Attending | undefined;
  /** What brings keys back that are not in the cache. */
  readonly remembering?: Remembering | undefined;
  /** `LayerView.counts` */
  readonly counts: number;
  /** Rows whose logits are wanted. */
  readonly logits?: readonly number[];
  /** Rows behind which a token is to be chosen, without the logits, and how. */
  readonly choices?: readonly RowChoice[];
  /** How the program may go on, where there is one row with one choice: it reads what was chosen, and chooses again. */
  readonly ahead?: Ahead | undefined;
  /** For every row the token whose loss is wanted; −1 for none. */
  readonly targets?: Int32Array;
  /** Rows whose residual stream is wanted at every depth. */
  readonly hidden?: readonly number[];
}

export interface Ahead {
  /** How further tokens are chosen. */
  readonly choices: readonly Choice[];
  /** Tokens behind which it need not go on. */
  readonly ends: readonly number[];
}

export interface RowChoice {
  readonly row: number;
  readonly choice: Choice;
}

export type SegmentInput =
  | { readonly kind: 'ids'; readonly ids: Int32Array }
  /** Rows [n, c] in place of token embeddings, the family's embedding factor included. */
  | { readonly kind: 'embeddings'; readonly rows: Float32Array; readonly n: number };

export interface SegmentResult {
  /** One [v] per row asked for. */
  readonly logits: readonly Float32Array[];
  /** One id per choice, and per further step that was taken; −1 where the logits hold a NaN or no finite number. */
  readonly chosen: readonly number[];
  /** −ln p(target) in nats; NaN where the target was −1 or none was given. */
  readonly losses: Float64Array;
  /** Per row asked for: after the embedding, after every block, after the final norm: [layers + 2] of [c]. */
  readonly hidden: readonly (readonly Float32Array[])[];
}

/** Whether nothing but the model records: no method, state or hidden row has a say in the words of its program. */
export function isPlain({ cache, hooks, attending, remembering, hidden }: Segment): boolean {
  return hooks.length === 0 && !attending && !remembering && !hidden?.length && !cache.states;
}

/** 1 for every row whose token stands in the sequence before it, else 0: [n]. */
export function repeatedOf({ input, before }: Pick<Segment, 'input' | 'before'>): Float32Array {
  if (input.kind === 'embeddings') return new Float32Array(input.n);
  // Looking for a few takes less than a set of all.
  const found = input.ids.length > 8 ? new Set(before) : undefined;
  const isBefore = (id: number, row: number) =>
    (found ? found.has(id) : before.includes(id)) || input.ids.indexOf(id) < row;
  return Float32Array.from(input.ids, (id, row) => (isBefore(id, row) ? 1 : 0));
}

export function inputLength(input: SegmentInput): number {
  return input.kind === 'ids' ? input.ids.length : input.n;
}

/** What a program has done for a segment of n rows. */
export function ranOf({ moment, positions, cache }: Segment, n: number): Ran {
  return { moment, n, position: positions[0] ?? 0, cache };
}

/** A segment placed among the rows of one program. */
export interface Placed {
  readonly segment: Segment;
  /** Its first row. */
  readonly first: number;
  readonly n: number;
}
