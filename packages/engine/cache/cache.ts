import type { Device } from '@loci/device';
import { pageSlots } from '@loci/kernels';
import type { PagePool } from './pool.ts';

/**
 * The keys and values of one sequence: for every (layer, key/value head) a list of pages and a number of used slots of
 * its own. Lists lie in device memory, where kernels read them:
 *
 *   heads  [layers][g] of { address of the page table, used slots }
 *   table  addresses of the head's pages
 */
export class KvCache {
  readonly #device: Device;
  readonly #pool: PagePool;
  readonly #layers: number;
  readonly #g: number;
  readonly #heads: HeadPages[];
  #table: { address: number; capacity: number };

  constructor(device: Device, pool: PagePool, layers: number, g: number) {
    this.#device = device;
    this.#pool = pool;
    this.#layers = layers;
    this.#g = g;
    this.#heads = Array.from({ length: layers * g }, () => ({ used: 0, pages: [] }));
    this.#table = this.#allocateTable(16);
  }

  get pool(): PagePool {
    return this.#pool;
  }

  /** Bytes of the pages this sequence holds; a page that it shares with another is counted in both. */
  get bytes(): number {
    return this.#heads.reduce((sum, head) => sum + head.pages.length, 0) * this.#pool.pageBytes;
  }

  /** Address of the layer's [g] head entries. */
  headsOf(layer: number): number {
    return this.#table.address + layer * this.#g * 8;
  }

  /** The most slots that a head of this layer uses. */
  slotsOf(layer: number): number {
    const heads = this.#heads.slice(layer * this.#g, (layer + 1) * this.#g);
    return heads.reduce((most, head) => Math.max(most, head.used), 0);
  }

  /** Makes room for n more slots in every head, in pages that no other sequence reads. */
  reserve(n: number): void {
    const most = this.#heads.reduce((max, head) => Math.max(max, head.used), 0);
    const pagesNeeded = Math.ceil((most + n) / pageSlots);
    if (pagesNeeded > this.#table.capacity) this.#growTable(pagesNeeded);
    for (const [index, head] of this.#heads.entries()) {
      const last = Math.floor(head.used / pageSlots);
      const page = head.pages[last];
      if (page !== undefined && this.#pool.isShared(page)) {
        head.pages[last] = this.#pool.copy(page);
        this.#pool.release(page);
        this.#writePage(index, last);
      }
      while (head.pages.length * pageSlots < head.used + n) {
        head.pages.push(this.#pool.allocate());
        this.#writePage(index, head.pages.length - 1);
      }
    }
  }

  /** Returns pages that were reserved and not written. */
  unreserve(): void {
    this.truncate(Number.POSITIVE_INFINITY);
  }

  /** The kernels have written n slots behind the used ones of every head. */
  commit(n: number): void {
    for (const [index, head] of this.#heads.entries()) this.#setUsed(index, head.used + n);
  }

  /** Forgets all slots whose position is not below `position`, and pages that become empty (or were only reserved). */
  truncate(position: number): void {
    for (const [index, head] of this.#heads.entries()) {
      let used = head.used;
      while (used > 0 && this.#positionOf(head, used - 1) >= position) used--;
      for (const page of head.pages.splice(Math.ceil(used / pageSlots))) this.#pool.release(page);
      this.#setUsed(index, used);
    }
  }

  /** A sequence that continues from here on its own; pages are shared until one of the two writes to them. */
  fork(): KvCache {
    const fork = new KvCache(this.#device, this.#pool, this.#layers, this.#g);
    fork.#growTable(this.#table.capacity);
    for (const [index, head] of this.#heads.entries()) {
      const pages = head.pages.slice(0, Math.ceil(head.used / pageSlots));
      for (const page of pages) this.#pool.share(page);
      fork.#heads[index] = { used: head.used, pages };
      for (const slot of pages.keys()) fork.#writePage(index, slot);
      fork.#setUsed(index, head.used);
    }
    return fork;
  }

  /** Positions of the kept slots of one head, ascending. */
  positions(layer: number, kvHead: number): Int32Array {
    const head = this.#head(layer * this.#g + kvHead);
    return Int32Array.from({ length: head.used }, (_, slot) => this.#positionOf(head, slot));
  }

  /** Used slots and page contents of every head in order, for saving. */
  *export(): Generator<{ readonly used: number; readonly pages: readonly Uint8Array[] }> {
    for (const head of this.#heads) {
      const pages = head.pages.slice(0, Math.ceil(head.used / pageSlots));
      yield { used: head.used, pages: pages.map((page) => this.#device.bytes(page, this.#pool.pageBytes)) };
    }
  }

  /** Pages that hold this many slots. */
  pagesFor(slots: number): number {
    return Math.ceil(slots / pageSlots);
  }

  /** Takes the next head's contents, in the order of `export`; the cache must be new. */
  import(index: number, used: number, pages: readonly Uint8Array[]): void {
    const head = this.#head(index);
    if (pages.length > this.#table.capacity) this.#growTable(pages.length);
    for (const page of pages) {
      const address = this.#pool.allocate();
      this.#device.bytes(address, this.#pool.pageBytes).set(page);
      head.pages.push(address);
      this.#writePage(index, head.pages.length - 1);
    }
    this.#setUsed(index, used);
  }

  close(): void {
    for (const head of this.#heads) for (const page of head.pages.splice(0)) this.#pool.release(page);
    this.#device.free(this.#table.address);
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
    const address = this.#device.allocate(count * (8 + capacity * 4));
    const words = this.#device.ints(address, count * 2);
    for (let index = 0; index < count; index++) {
      words[2 * index] = address + count * 8 + index * capacity * 4;
      words[2 * index + 1] = this.#heads[index]?.used ?? 0;
    }
    return { address, capacity };
  }

  #growTable(pages: number): void {
    this.#device.free(this.#table.address);
    this.#table = this.#allocateTable(Math.max(pages, this.#table.capacity * 2));
    for (const [index, head] of this.#heads.entries()) {
      for (const slot of head.pages.keys()) this.#writePage(index, slot);
    }
  }

  #writePage(index: number, slot: number): void {
    const { address, capacity } = this.#table;
    const table = address + this.#heads.length * 8 + (index * capacity + slot) * 4;
    this.#device.ints(table, 1)[0] = this.#head(index).pages[slot] ?? 0;
  }

  #setUsed(index: number, used: number): void {
    this.#head(index).used = used;
    this.#device.ints(this.#table.address + index * 8 + 4, 1)[0] = used;
  }
}

interface HeadPages {
  used: number;
  readonly pages: number[];
}
