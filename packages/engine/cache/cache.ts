import type { Device } from '@loci/device';
import { headBytes, headWordOfUsed, headWords, pageSlots } from '@loci/kernels';
import type { PagePool } from './pool.ts';
import { rewrite } from './rewrite.ts';
import type { States } from './states.ts';

/** Which keys of a head queries see: those below `sinks`, and those less than `window` behind (0: all). */
export interface Sight {
  readonly sinks: number;
  readonly window: number;
}

/** What stays of a head: slots, ascending, and a slot of its own making before them that stands for others. */
export interface Kept {
  readonly slots: Int32Array;
  readonly extra?: ExtraSlot;
}

export interface ExtraSlot {
  /** [d] */
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** Added to its score, in nats: ln N where it stands for N slots. */
  readonly bias: number;
}

/** Slots of a head that keeps this. */
export function slotCount({ slots, extra }: Kept): number {
  return slots.length + (extra ? 1 : 0);
}

const nothing: Kept = { slots: new Int32Array() };

/** The position of a slot that stands for others: seen by every query. */
export const extraPosition = -1;

/**
 * The keys and values of one sequence: for every (layer, key/value head) a list of pages, a number of used slots and a
 * sight of its own. Layers that keep a state in their place have empty lists. Lists lie in device memory, where kernels read
 * them:
 *
 *   heads  [layers][g] entries (`headWords` of the kernels)
 *   table  addresses of the head's pages
 */
export class KvCache {
  readonly #device: Device;
  #pool: PagePool;
  readonly #layers: number;
  readonly #g: number;
  #heads: HeadPages[];
  #table: { address: number; capacity: number };
  #exactFrom = 0;
  #mostBytes = 0;
  #edition = 0;
  /** Of the layers that do not attend, where there are such. */
  readonly states: States | undefined;

  constructor(device: Device, pool: PagePool, layers: number, g: number, states?: States) {
    this.#device = device;
    this.#pool = pool;
    this.#layers = layers;
    this.#g = g;
    this.states = states;
    this.#heads = Array.from({ length: layers * g }, () => newHead());
    this.#table = this.#allocateTable(16);
    for (const index of this.#heads.keys()) this.#writeEntry(index);
  }

  get pool(): PagePool {
    return this.#pool;
  }

  /** Bytes of the pages and states this sequence holds; a page that it shares with another is counted in both. */
  get bytes(): number {
    const pages = this.#heads.reduce((sum, head) => sum + head.pages.length, 0);
    return pages * this.#pool.pageBytes + (this.states?.bytes ?? 0);
  }

  /** The most bytes it ever held. */
  get mostBytes(): number {
    return this.#mostBytes;
  }

  /** Another one whenever slots other than the last are dropped: then the slots behind them have other numbers. */
  get edition(): number {
    return this.#edition;
  }

  /** Shortest length to which the sequence can be cut back: what is missing below was decided by what came after. */
  get exactFrom(): number {
    return this.#exactFrom;
  }

  /** Address of the layer's [g] head entries, or of one of them. */
  headsOf(layer: number, kvHead = 0): number {
    return this.#table.address + (layer * this.#g + kvHead) * headBytes;
  }

  /** Where the entries of all heads of all layers stand, and how many they are. */
  get allHeads(): { readonly heads: number; readonly count: number } {
    return { heads: this.#table.address, count: this.#heads.length };
  }

  /** Slots that one head uses. */
  usedOf(layer: number, kvHead: number): number {
    return this.#head(layer * this.#g + kvHead).used;
  }

  /** The most slots that a head of this layer uses. */
  slotsOf(layer: number): number {
    let most = 0;
    for (let head = 0; head < this.#g; head++) most = Math.max(most, this.usedOf(layer, head));
    return most;
  }

  /** Makes room for n more slots in every head, in pages that no other sequence reads. */
  reserve(n: number): void {
    for (const index of this.#heads.keys()) if (this.#attends(index)) this.#reserveHead(index, n);
    this.#mostBytes = Math.max(this.#mostBytes, this.bytes);
  }

  #reserveHead(index: number, n: number): void {
    const head = this.#head(index);
    const pagesNeeded = Math.ceil((head.used + n) / pageSlots);
    if (pagesNeeded > this.#table.capacity) this.#growTable(pagesNeeded);
    const last = Math.floor(head.used / pageSlots);
    const page = head.pages[last];
    if (page !== undefined && this.#pool.isShared(page)) {
      head.pages[last] = this.#pool.copy(page);
      this.#pool.release(page);
      this.#writePage(index, last);
    }
    while (head.pages.length < pagesNeeded) {
      head.pages.push(this.#pool.allocate(head.pages, pagesNeeded));
      this.#writePage(index, head.pages.length - 1);
    }
  }

  /** Returns pages that were reserved and not written. */
  unreserve(): void {
    this.#cut(Number.POSITIVE_INFINITY);
  }

  /** The kernels have written n slots behind the used ones of every head. */
  commit(n: number): void {
    for (const [index, head] of this.#heads.entries()) if (this.#attends(index)) this.#setUsed(index, head.used + n);
    if (!this.states) return;
    this.states.commit();
    // A state cannot be taken back: the sequence is as long as it is, or empty.
    this.#exactFrom += n;
  }

  /**
   * Forgets all slots whose position is not below `position`, and pages that become empty. Nothing may be left of a
   * cache that is cut below `exactFrom`: then it is emptied.
   */
  truncate(position: number): void {
    if (position >= this.#exactFrom) {
      this.#cut(position);
      return;
    }
    this.#heads.forEach((head, index) => {
      for (const page of head.pages.splice(0)) this.#pool.release(page);
      Object.assign(head, newHead());
      this.#writeEntry(index);
    });
    this.states?.clear();
    this.#exactFrom = 0;
  }

  /** An empty cache goes on with pages of another format. */
  usePool(pool: PagePool): void {
    if (this.#heads.some(({ pages }) => pages.length > 0)) throw new RangeError('the cache is not empty');
    this.#pool = pool;
  }

  /** How far the queries of a head see from now on. */
  setSight(layer: number, kvHead: number, { sinks, window }: Sight): void {
    const index = layer * this.#g + kvHead;
    Object.assign(this.#head(index), { sinks, window });
    this.#writeEntry(index);
  }

  /**
   * Keeps what is said of every [layer][head] of a sequence of `length` tokens and drops the rest; pages that are no longer
   * needed are free. Slots are copied, so that other sequences keep what they share; a head that keeps everything in the
   * same format keeps its pages.
   */
  async retain(kept: readonly (readonly Kept[])[], length: number, pool: PagePool = this.#pool): Promise<void> {
    const target = new KvCache(this.#device, pool, this.#layers, this.#g);
    try {
      const rewritten = kept.map((heads, layer) =>
        heads.map((one, head) => (this.#takePages(target, layer * this.#g + head, one) ? nothing : one)),
      );
      const taken = target.bytes;
      for (const [index, one] of rewritten.flat().entries()) {
        if (one !== nothing) target.#reserveHead(index, slotCount(one));
      }
      this.#mostBytes = Math.max(this.#mostBytes, this.bytes + target.bytes - taken);
      await rewrite(this.#device, this, target, rewritten);
      for (const [index, one] of rewritten.flat().entries()) {
        if (one === nothing) continue;
        const { sinks, window, bias } = this.#head(index);
        const first = one.slots[0] === 0 ? bias : 0;
        Object.assign(target.#head(index), { sinks, window, bias: one.extra?.bias ?? first, used: slotCount(one) });
        target.#writeEntry(index);
      }
      [this.#heads, target.#heads] = [target.#heads, this.#heads];
      [this.#table, target.#table] = [target.#table, this.#table];
      [this.#pool, target.#pool] = [target.#pool, this.#pool];
      this.#exactFrom = length;
      this.#edition++;
    } finally {
      target.close();
    }
  }

  /** Shares a head's pages with another cache when that head keeps everything as it is. */
  #takePages(target: KvCache, index: number, { slots, extra }: Kept): boolean {
    const head = this.#head(index);
    if (target.#pool !== this.#pool || extra || slots.length !== head.used || head.used === 0) return false;
    const pages = head.pages.slice(0, Math.ceil(head.used / pageSlots));
    if (pages.length > target.#table.capacity) target.#growTable(pages.length);
    for (const page of pages) this.#pool.share(page);
    target.#heads[index] = { ...head, pages };
    for (const slot of pages.keys()) target.#writePage(index, slot);
    target.#writeEntry(index);
    return true;
  }

  /** Returns the pages of a sequence of `length` tokens that no later query sees. */
  trim(length: number): void {
    for (const [index, head] of this.#heads.entries()) {
      if (head.window === 0) continue;
      const hidden = (page: number) => {
        const [oldest = 0] = this.#device.ints(page, pageSlots);
        const newest = this.#device.ints(page, pageSlots)[pageSlots - 1] ?? 0;
        return oldest >= head.sinks && newest <= length - head.window;
      };
      const full = head.pages.slice(0, Math.floor(head.used / pageSlots));
      const first = full.findIndex(hidden);
      if (first < 0) continue;
      let count = 1;
      while (first + count < full.length && hidden(full[first + count] ?? 0)) count++;
      for (const page of head.pages.splice(first, count)) this.#pool.release(page);
      for (let slot = first; slot < head.pages.length; slot++) this.#writePage(index, slot);
      this.#setUsed(index, head.used - count * pageSlots);
      this.#exactFrom = length;
      this.#edition++;
    }
  }

  #cut(position: number): void {
    for (const [index, head] of this.#heads.entries()) {
      let used = head.used;
      while (used > 0 && this.#positionOf(head, used - 1) >= position) used--;
      for (const page of head.pages.splice(Math.ceil(used / pageSlots))) this.#pool.release(page);
      this.#setUsed(index, used);
    }
  }

  /** A sequence that continues from here on its own; pages are shared until one of the two writes to them. */
  fork(): KvCache {
    const fork = new KvCache(this.#device, this.#pool, this.#layers, this.#g, this.states?.fork());
    fork.#growTable(this.#table.capacity);
    for (const [index, head] of this.#heads.entries()) {
      const pages = head.pages.slice(0, Math.ceil(head.used / pageSlots));
      for (const page of pages) this.#pool.share(page);
      fork.#heads[index] = { ...head, pages };
      for (const slot of pages.keys()) fork.#writePage(index, slot);
      fork.#writeEntry(index);
    }
    fork.#exactFrom = this.#exactFrom;
    fork.#edition = this.#edition;
    return fork;
  }

  /** Positions of the kept slots of one head, ascending. */
  positions(layer: number, kvHead: number): Int32Array {
    const head = this.#head(layer * this.#g + kvHead);
    return Int32Array.from({ length: head.used }, (_, slot) => this.#positionOf(head, slot));
  }

  /** What every head holds, in order, for saving. */
  *export(): Generator<SavedHead> {
    for (const head of this.#heads) {
      const pages = head.pages.slice(0, Math.ceil(head.used / pageSlots));
      yield { ...head, pages: pages.map((page) => this.#device.bytes(page, this.#pool.pageBytes)) };
    }
  }

  /** Pages that hold this many slots. */
  pagesFor(slots: number): number {
    return Math.ceil(slots / pageSlots);
  }

  /** Takes the next head's contents, in the order of `export`; the cache must be new. */
  import(index: number, { pages, ...rest }: SavedHead): void {
    const head = Object.assign(this.#head(index), rest);
    if (pages.length > this.#table.capacity) this.#growTable(pages.length);
    for (const page of pages) {
      const address = this.#pool.allocate();
      this.#device.bytes(address, this.#pool.pageBytes).set(page);
      head.pages.push(address);
      this.#writePage(index, head.pages.length - 1);
    }
    this.#writeEntry(index);
  }

  /** Below this length the sequence cannot be cut back to from now on, since something that stays was decided by what came after. */
  setExactFrom(length: number): void {
    this.#exactFrom = length;
  }

  close(): void {
    for (const head of this.#heads) for (const page of head.pages.splice(0)) this.#pool.release(page);
    this.#device.free(this.#table.address);
    this.states?.close();
  }

  #attends(index: number): boolean {
    return this.states?.has(Math.floor(index / this.#g)) !== true;
  }

  #head(index: number): HeadPages {
    const head = this.#heads[index];
    if (!head) throw new RangeError(`head ${index} of ${this.#heads.length}`);
    return head;
  }

  #positionOf(head: HeadPages, slot: number): number {
    const page = head.pages[Math.floor(slot / pageSlots)];
    if (page === undefined) throw new RangeError(`slot ${slot} has no page`);
    return this.#device.ints(page, pageSlots)[slot % pageSlots] ?? 0;
  }

  #allocateTable(capacity: number): { address: number; capacity: number } {
    const count = this.#layers * this.#g;
    return { address: this.#device.allocate(count * (headBytes + capacity * 4)), capacity };
  }

  #growTable(pages: number): void {
    this.#device.free(this.#table.address);
    this.#table = this.#allocateTable(Math.max(pages, this.#table.capacity * 2));
    for (const [index, head] of this.#heads.entries()) {
      this.#writeEntry(index);
      for (const slot of head.pages.keys()) this.#writePage(index, slot);
    }
  }

  #writePage(index: number, slot: number): void {
    this.#device.setInt(this.#tableOf(index) + slot * 4, this.#head(index).pages[slot] ?? 0);
  }

  /** Address of the page table of a head. */
  #tableOf(index: number): number {
    const { address, capacity } = this.#table;
    return address + this.#heads.length * headBytes + index * capacity * 4;
  }

  #writeEntry(index: number): void {
    const words = headWords({ ...this.#head(index), table: this.#tableOf(index) });
    this.#device.ints(this.#table.address + index * headBytes, words.length).set(words);
  }

  /** Writes one word: every token of decode comes by here for every head. */
  #setUsed(index: number, used: number): void {
    this.#head(index).used = used;
    this.#device.setInt(this.#table.address + index * headBytes + 4 * headWordOfUsed, used);
  }
}

interface HeadPages {
  used: number;
  readonly pages: number[];
  sinks: number;
  window: number;
  bias: number;
}

/** What a head holds, apart from where. */
export interface SavedHead extends Sight {
  readonly used: number;
  readonly bias: number;
  readonly pages: readonly Uint8Array[];
}

function newHead(): HeadPages {
  return { used: 0, pages: [], sinks: 0, window: 0, bias: 0 };
}
