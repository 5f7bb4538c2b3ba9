import type { PageFormat } from '@loci/kernels';
import { type Attend, type Attending, dense } from '../axes/attend.ts';
import type { Hook, Settling } from '../axes/hook.ts';
import { everything, type Keep, type Keeper } from '../axes/keep.ts';
import { checkMethods, type Host, type Method, type SavedBlocks } from '../axes/method.ts';
import type { Probe, Probing } from '../axes/probe.ts';
import type { Read, Remember, Remembering } from '../axes/remember.ts';
import type { Steer, Steering } from '../axes/steer.ts';
import type { Store } from '../axes/store.ts';
import type { KvCache } from '../cache/cache.ts';
import type { PagePool } from '../cache/pool.ts';
import { LociError } from '../errors.ts';
import { asLociError } from './device-errors.ts';
import type { MethodSpecs, MethodState } from './snapshot.ts';

/** The methods of a session, one for each axis but for those that can be several. */
export interface MethodSet {
  readonly attend: Attend;
  readonly keep?: Keep | undefined;
  readonly store: Store;
  readonly remember?: Remember | undefined;
  readonly steer: readonly Steer[];
  readonly probes: readonly Probe[];
}

export function methodsOf({ attend, keep, store, remember, steer, probes }: MethodSet): readonly Method[] {
  return [attend, keep, store, remember, ...steer, ...probes].filter((one) => one !== undefined);
}

/** What a saved session says of its methods, axis by axis; empty where there is none. */
export function specsOf({ attend, keep, store, remember, steer }: MethodSet): MethodSpecs {
  return {
    attend: attend.spec,
    keep: keep?.spec ?? '',
    store: store.spec,
    remember: remember?.spec ?? '',
    steer: steer.map(({ spec }) => spec).join(' '),
  };
}

/** What attention has read since a session was opened. */
export interface Reads {
  /** Slots of keys and values; those that share a page with one that is wanted are not. */
  readonly slots: number;
  /** Pairs of a query row and a slot that were scored. */
  readonly pairs: number;
  /** Keys that were scored to choose others. */
  readonly choosing: number;
}

const countBytes = 24;

/** What hangs on a session and its forks: steering and probes, which the last sequence closes. */
class Shared {
  readonly steering: readonly Steering[];
  readonly probing: readonly Probing[];
  #sequences = 0;

  constructor(set: MethodSet, host: Host) {
    this.steering = set.steer.map((one) => one.open(host));
    this.probing = set.probes.map((one) => one.open(host));
  }

  hold(): this {
    this.#sequences++;
    return this;
  }

  release(): void {
    if (--this.#sequences > 0) return;
    for (const one of [...this.steering, ...this.probing]) one.close();
  }
}

/** @throws LociError `bad-option` for methods beside the store's: they go by keys of every layer, and by cutting back. */
function checkStates(set: MethodSet, { name, arch }: Host): void {
  if (arch.layers.every(({ mix }) => !mix)) return;
  const other = methodsOf(set).find((one) => one.axis !== 'store' && one !== dense);
  if (!other) return;
  const written = `--${other.axis} ${other.spec}`;
  throw new LociError('bad-option', `${written} does not go with ${name}: it has layers that keep a state, not keys`);
}

/** The methods of a session at work on one sequence. */
export class OpenMethods {
  readonly set: MethodSet;
  readonly keeper: Keeper | undefined;
  readonly attending: Attending | undefined;
  readonly remembering: Remembering | undefined;
  /** Address of what programs count (`LayerView.counts`). */
  readonly counts: number;
  readonly hooks: readonly Hook[];
  /** The same without probes: of rows that will be read again they see nothing. */
  readonly unwatched: readonly Hook[];
  readonly #host: Host;
  readonly #shared: Shared;
  readonly #poolOf: (format: PageFormat) => PagePool;

  private constructor(
    set: MethodSet,
    host: Host,
    poolOf: (format: PageFormat) => PagePool,
    shared: Shared,
    open: Pick<OpenMethods, 'keeper' | 'attending' | 'remembering'>,
  ) {
    this.set = set;
    const { keeper, attending, remembering } = open;
    this.keeper = keeper;
    this.attending = attending;
    this.remembering = remembering;
    this.counts = host.device.allocate(countBytes);
    host.device.ints(this.counts, countBytes / 4).fill(0);
    this.#host = host;
    this.#shared = shared.hold();
    this.#poolOf = poolOf;
    // Probes see what steering has left.
    const own = [keeper, attending, remembering].filter((one) => one !== undefined);
    this.unwatched = [...shared.steering, ...own];
    this.hooks = [...this.unwatched, ...shared.probing];
  }

  /** @throws LociError `bad-option` when two of them clash. */
  static open(set: MethodSet, host: Host, poolOf: (format: PageFormat) => PagePool): OpenMethods {
    checkMethods(methodsOf(set), host);
    checkStates(set, host);
    return new OpenMethods(set, host, poolOf, new Shared(set, host), {
      keeper: set.keep?.open(host),
      attending: set.attend.open?.(host),
      remembering: set.remember?.open(host),
    });
  }

  /** What the probes have found, in their order. */
  get found(): readonly { readonly probe: string; readonly result: unknown }[] {
    return this.#shared.probing.map((one, i) => ({ probe: this.set.probes[i]?.spec ?? '', result: one.result() }));
  }

  get reads(): Reads {
    const [slots = 0, pairs = 0, choosing = 0] = Array.from(this.#counters, Number);
    return { slots, pairs, choosing };
  }

  /** Counts what a fork has read as well. */
  addReads(fork: OpenMethods): void {
    const own = this.#counters;
    for (const [i, count] of fork.#counters.entries()) own[i] = (own[i] ?? 0n) + count;
  }

  get #counters(): BigInt64Array {
    const { buffer, byteOffset } = this.#host.device.ints(this.counts, countBytes / 4);
    return new BigInt64Array(buffer, byteOffset, countBytes / 8);
  }

  /** Pages of a prompt that is being read. */
  get promptPool(): PagePool {
    const { store, keep } = this.set;
    // Four and eight bits are for what is kept; floats stay what they are.
    const halves = keep?.exactPrompt && store.format !== 'f32';
    return this.#poolOf(halves ? 'f16' : store.format);
  }

  /** A sequence begins, or begins again with an empty cache. */
  begin(cache: KvCache): void {
    cache.usePool(this.promptPool);
    const { layers, kvHeads } = this.#host.arch;
    for (const layer of layers.keys()) {
      for (let head = 0; head < kvHeads; head++) {
        const sight = this.set.attend.sight?.(layer, head, this.#host);
        if (sight) cache.setSight(layer, head, sight);
        else if (cache.states) cache.setSight(layer, head, { sinks: 0, window: layers[layer]?.window ?? 0 });
      }
    }
    this.keeper?.begin?.(cache);
    this.attending?.begin?.(cache);
    this.remembering?.begin?.(cache);
  }

  /**
   * Rows have been read: what is not kept goes, and what stays behind a prompt goes into the store's format.
   * @throws LociError `aborted`, `device-failed`, `out-of-memory`.
   */
  async settle(ran: Settling & Read): Promise<void> {
    try {
      await this.#settle(ran);
    } catch (error) {
      throw asLociError(error);
    }
  }

  async #settle(ran: Settling & Read): Promise<void> {
    const { cache } = ran;
    const length = ran.position + ran.n;
    const pool = ran.moment === 'prompt' ? cache.pool : this.#poolOf(this.set.store.format);
    await this.keeper?.settle?.({ ...ran, length, retain: (kept) => cache.retain(kept, length, pool) });
    if (cache.pool !== pool) {
      const { layers, kvHeads } = this.#host.arch;
      await cache.retain(everything(cache, layers.length, kvHeads), length, pool);
    }
    // What cannot be cut back has no use for what its windows hide.
    if (cache.states) cache.trim(length);
    await this.attending?.settle?.(ran);
    await this.remembering?.settle?.(ran);
  }

  /**
   * The same for a sequence that goes on by itself, under other methods if so wanted.
   * @throws LociError `bad-option` when they clash, or ask for something else than the cache was filled under.
   */
  fork(others: Partial<Pick<MethodSet, 'keep' | 'store'>> = {}): OpenMethods {
    const set = { ...this.set, ...others };
    const isOther = 'keep' in others || others.store !== undefined;
    if (isOther) {
      checkMethods(methodsOf(set), this.#host);
      checkStates(set, this.#host);
      if ([this.set.keep, set.keep].some((keep) => keep?.needs.decides?.includes('sight'))) {
        throw new LociError('bad-option', 'a fork cannot change how far heads have seen: open a session for it');
      }
    }
    return new OpenMethods(set, this.#host, this.#poolOf, this.#shared, {
      keeper: isOther ? set.keep?.open(this.#host) : this.keeper?.fork(),
      attending: this.attending?.fork(),
      remembering: this.remembering?.fork(),
    });
  }

  /** What outlives `save` and `restore` beside the cache. */
  save(): { readonly state: MethodState; readonly blocks: readonly SavedBlocks[] } {
    const [attend, remember] = [this.attending?.save?.(), this.remembering?.save?.()];
    const state = {
      keep: this.keeper?.save?.() ?? null,
      attend: attend?.state ?? null,
      remember: remember?.state ?? null,
    };
    return { state, blocks: [attend?.blocks, remember?.blocks].filter((one) => one !== undefined) };
  }

  /** @throws RangeError when a state is not one that `save` wrote. */
  async restore(
    { keep, attend, remember }: MethodState,
    cache: KvCache,
    next: () => Promise<Uint8Array>,
  ): Promise<void> {
    if (keep !== null) this.keeper?.restore?.(keep);
    if (attend !== null) await this.attending?.restore?.(attend, next);
    if (remember !== null) await this.remembering?.restore?.(remember, cache, next);
  }

  close(): void {
    this.keeper?.close();
    this.attending?.close();
    this.remembering?.close();
    this.#host.device.free(this.counts);
    this.#shared.release();
  }
}
