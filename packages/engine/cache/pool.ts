import type { Device } from '@loci/device';
import { type PageFormat, pageBytes } from '@loci/kernels';

/** Pages that are set aside for a list at a time, at most. */
const longestRun = 16;

/**
 * Pages of one format and head size. Pages are cut from slabs of device memory and reused when freed; a page may be
 * held by several sequences that share a prefix.
 */
export class PagePool {
  readonly format: PageFormat;
  readonly d: number;
  readonly pageBytes: number;
  /** Bytes from a page to the one behind it. */
  readonly stride: number;
  readonly #device: Device;
  /** The last is handed out next. */
  readonly #free: number[] = [];
  #freedSinceSorted = 0;
  /** Free pages behind the last one of a list that grows, which come to it and to no other. */
  readonly #aside = new Set<number>();
  readonly #slabs: number[] = [];
  /** Holders of a page, where there is more than one. */
  readonly #shared = new Map<number, number>();
  #inUse = 0;

  constructor(device: Device, format: PageFormat, d: number) {
    this.#device = device;
    this.format = format;
    this.d = d;
    this.pageBytes = pageBytes(format, d);
    this.stride = Math.ceil(this.pageBytes / 64) * 64;
  }

  /** Pages held by at least one sequence. */
  get pagesInUse(): number {
    return this.#inUse;
  }

  /**
   * Address of a page. What stands there is undefined until `append` writes its first slot.
   * For a list of pages that grows to `length` it is the one behind its last, as long as that is free; what it may grow by soon
   * is set aside for it, as many pages as it will have: lists that grow by turns would else lie page by page among each other,
   * and memory streams through them at half the speed.
   */
  allocate(list: readonly number[] = [], length = list.length): number {
    const behind = (list.at(-1) ?? Number.NaN) + this.stride;
    const wanted = Math.min(longestRun, 2 * length - list.length);
    const page = this.#aside.delete(behind) ? behind : this.#startRun(wanted);
    this.#inUse++;
    return page;
  }

  #startRun(pages: number): number {
    // Not after every page: methods that give one back for each that they take would sort all the time.
    if (this.#freedSinceSorted >= 32) this.#sortFree();
    const first = this.#free.pop() ?? this.#slab();
    for (let i = 1; i < pages && this.#free.at(-1) === first + i * this.stride; i++) {
      this.#free.pop();
      this.#aside.add(first + i * this.stride);
    }
    return first;
  }

  /** One more sequence holds the page. */
  share(page: number): void {
    this.#shared.set(page, (this.#shared.get(page) ?? 1) + 1);
  }

  isShared(page: number): boolean {
    return this.#shared.has(page);
  }

  release(page: number): void {
    const holders = this.#shared.get(page);
    if (holders !== undefined) {
      if (holders === 2) this.#shared.delete(page);
      else this.#shared.set(page, holders - 1);
      return;
    }
    this.#free.push(page);
    this.#freedSinceSorted++;
    this.#inUse--;
    for (let next = page + this.stride; this.#aside.delete(next); next += this.stride) {
      this.#free.push(next);
      this.#freedSinceSorted++;
    }
  }

  /** A page of its own with the same contents. */
  copy(page: number): number {
    const copy = this.allocate();
    this.#device.bytes(copy, this.pageBytes).set(this.#device.bytes(page, this.pageBytes));
    return copy;
  }

  /** Gives all memory back; no page may be used afterwards. */
  close(): void {
    for (const slab of this.#slabs.splice(0)) this.#device.free(slab);
    this.#free.length = 0;
    this.#aside.clear();
  }

  /** Pages that are taken one after the other lie one behind the other: memory streams through them twice as fast. */
  #sortFree(): void {
    this.#free.sort((a, b) => b - a);
    this.#freedSinceSorted = 0;
  }

  #slab(): number {
    const pages = Math.max(1, Math.floor(2 ** 20 / this.stride));
    const slab = this.#device.allocate(pages * this.stride);
    this.#slabs.push(slab);
    for (let page = pages - 1; page > 0; page--) this.#free.push(slab + page * this.stride);
    return slab;
  }
}
