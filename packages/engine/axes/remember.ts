import type { KvCache } from '../cache/cache.ts';
import type { Beside } from './attend.ts';
import type { Hook, LayerView, Ran } from './hook.ts';
import type { Host, Method, Saved } from './method.ts';

/** What outlives the cache: tokens that it lets go, and how they come back. Texts may then be longer than the model's window. */
export interface Remember extends Method {
  readonly axis: 'remember';
  /** Whether it goes by how surprising tokens are: every row of a prompt then passes through the output head. */
  readonly losses?: boolean;
  open(host: Host): Remembering;
}

/** A remember method at work on one sequence. */
export interface Remembering extends Hook {
  /** Rows that may be read at a time; all that fit by default. */
  readonly chunk?: number;
  /** So many rows at the end of a prompt are read by themselves, behind all that comes before them. */
  readonly apart?: number;
  /**
   * Whether the end of a prompt, up to `chunk` rows that come next, is read on a fork first, for what its last row brings back;
   * the fork then goes to `recollect`. Rows whose losses are asked for never are: what they bring back must not know what follows.
   */
  rehearses?(n: number): boolean;
  /**
   * Takes over what a fork that has read the next rows brought back for them. Without a fork: what it took over holds no
   * longer, since reading was given up.
   */
  recollect?(fork: Remembering | undefined): void;
  /** The cache is empty: a new sequence, or one that begins again. */
  begin?(cache: KvCache): void;
  /**
   * Whether what `recall` brings depends on what `rotated` has computed of this layer. The program is then run that far
   * first, which costs a fraction of a millisecond.
   */
  waits?(view: LayerView): boolean;
  /** Keys that the rows of a layer are compared with beside those of the cache, in one softmax with them. */
  recall?(view: LayerView): Promise<readonly Beside[]> | readonly Beside[];
  /** Rows have been read and committed: takes what is to be remembered, and drops it from the cache. */
  settle?(read: Read): Promise<void> | void;
  /** What it decided, for `--inspect`: JSON. */
  inspect?(): unknown;
  /** What outlives `save` and `restore` beside the cache. */
  save?(): Saved;
  /**
   * Takes what `save` wrote; blocks come in their order.
   * @throws RangeError when the state is not one that `save` wrote, or belongs to another model or format.
   */
  restore?(state: unknown, cache: KvCache, next: () => Promise<Uint8Array>): Promise<void>;
  /** The same for a sequence that goes on by itself. */
  fork(): Remembering;
  close(): void;
}

export interface Read extends Ran {
  /** −ln p in nats of the token behind each row, NaN where it is not known or was not read as part of a prompt: [n]. */
  readonly losses: Float64Array;
}
