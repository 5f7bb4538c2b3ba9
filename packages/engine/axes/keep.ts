import type { Kept, KvCache } from '../cache/cache.ts';
import type { Hook, Ran } from './hook.ts';
import type { Host, Method } from './method.ts';

export type { ExtraSlot, Kept, Sight } from '../cache/cache.ts';

/** Which slots of the cache stay. */
export interface Keep extends Method {
  readonly axis: 'keep';
  /** Rows at the end of a prompt that it must see in one program. */
  readonly lastRows?: number;
  /** Prompts are to be read in half precision, whatever the store, which then takes what is kept. */
  readonly exactPrompt?: boolean;
  open(host: Host): Keeper;
}

/** A keep method at work on one sequence. */
export interface Keeper extends Hook {
  /** Rows that may be read at a time; all that fit by default. */
  readonly chunk?: number;
  /** The cache is empty: a new sequence, or one that begins again. */
  begin?(cache: KvCache): void;
  /** Rows have been read and committed: drops what is to go. */
  settle?(reading: Reading): Promise<void> | void;
  /** What outlives `save` and `restore` beside the cache: JSON. */
  save?(): unknown;
  /** @throws RangeError when the state is not one that `save` wrote. */
  restore?(state: unknown): void;
  /** The same for a sequence that goes on by itself. */
  fork(): Keeper;
  close(): void;
}

export interface Reading extends Ran {
  /** Tokens of the sequence so far, kept or not. */
  readonly length: number;
  /** Keeps of every [layer][head] what is said, in the session's store. */
  retain(kept: readonly (readonly Kept[])[]): Promise<void>;
}

/** Everything that a cache holds. */
export function everything(cache: KvCache, layers: number, kvHeads: number): Kept[][] {
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: kvHeads }, (_, head) => ({
      slots: Int32Array.from({ length: cache.usedOf(layer, head) }, (_, slot) => slot),
    })),
  );
}
