import type { Encoder } from '@loci/device';
import type { BlockLists, PageFormat } from '@loci/kernels';
import type { KvCache, Sight } from '../cache/cache.ts';
import type { Hook, LayerView, Settling } from './hook.ts';
import type { Host, Method, ModelFacts, Saved } from './method.ts';

/** Which keys queries are compared with. */
export interface Attend extends Method {
  readonly axis: 'attend';
  /** How far the query heads of a key/value head see; undefined: as the model has it. */
  sight?(layer: number, kvHead: number, model: ModelFacts): Sight | undefined;
  /** What chooses keys layer by layer, as queries come. */
  open?(host: Host): Attending;
}

/** An attend method at work on one sequence. */
export interface Attending extends Hook {
  /** Rows that may be read at a time; all that fit by default. */
  readonly chunk?: number;
  /** Rows at the end of a prompt that it must see in one program. */
  readonly lastRows?: number;
  /** The cache is empty: a new sequence, or one that begins again. */
  begin?(cache: KvCache): void;
  /**
   * What the rows of a layer read; undefined: everything that they see. Recorded behind `append`: the rows' own keys are
   * in the cache, behind the slots that its entries say are used. Keys that go missing (`KvCache.edition`), or that the
   * cache was cut by, are to be noticed here.
   */
  select?(encoder: Encoder, view: LayerView): Selection | undefined;
  /** Rows have been read and committed, and what is not kept is gone. */
  settle?(rows: Settling): Promise<void> | void;
  /** What it decided, for `--inspect`: JSON. */
  inspect?(): unknown;
  /** What outlives `save` and `restore` beside the cache. */
  save?(): Saved;
  /** Takes what `save` wrote; blocks come in their order. @throws RangeError when the state is not one that `save` wrote. */
  restore?(state: unknown, next: () => Promise<Uint8Array>): Promise<void> | void;
  /** The same for a sequence that goes on by itself. */
  fork(): Attending;
  close(): void;
}

export interface Selection {
  /** Of the sequence's own cache; all pages where there are none. */
  readonly lists?: BlockLists;
  /** Keys elsewhere that are attended to as well, in one softmax with the others. */
  readonly beside?: readonly Beside[];
}

/** Keys that lie elsewhere than in the sequence's cache, and queries that are compared with them. */
export interface Beside {
  /** Address of float32 [n, h, d]. */
  readonly queries: number;
  /** Address of [g] entries. All of their slots are used before the rows at hand: entries say n less than there are. */
  readonly heads: number;
  /** The largest number of slots of a head (a count). */
  readonly slots: number;
  readonly format: PageFormat;
  readonly lists?: BlockLists;
  /** Address of int32 [n]: where queries stand for these keys; where they do by default. */
  readonly positions?: number;
}

/** Every key that the model itself looks at. */
export const dense: Attend = { axis: 'attend', name: 'dense', spec: 'dense', needs: {} };
