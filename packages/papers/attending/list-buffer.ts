import { type BlockLists, listWords } from '@loci/kernels';
import type { Host } from 'loci';

/** A page of a list and which of its 32 slots are meant, as a set of bits. */
export interface Listed {
  readonly page: number;
  readonly slots: number;
}

/** Lists that the main thread writes, in device memory that grows as needed. */
export class ListBuffer {
  readonly #device: Host['device'];
  #address = 0;
  #words = 0;

  constructor(device: Host['device']) {
    this.#device = device;
  }

  /**
   * Room for lists of blocks of `rows` queries; what was there is lost.
   * @param shape blocks, heads (of keys or of queries) and pages per list at most.
   */
  reserve(
    rows: number,
    shape: { readonly blocks: number; readonly heads: number; readonly capacity: number },
  ): BlockLists {
    const words = shape.blocks * shape.heads * listWords(shape.capacity);
    if (words > this.#words) {
      if (this.#words > 0) this.#device.free(this.#address);
      this.#words = words;
      this.#address = this.#device.allocate(4 * words);
    }
    return { address: this.#address, rows, heads: shape.heads, capacity: shape.capacity };
  }

  /** Writes one list; pages ascend. */
  write({ heads, capacity }: BlockLists, block: number, head: number, list: readonly Listed[]): void {
    if (list.length > capacity) throw new RangeError(`${list.length} pages in a list with room for ${capacity}`);
    const at = this.#address + 4 * (block * heads + head) * listWords(capacity);
    const words = this.#device.ints(at, 1 + 2 * list.length);
    words[0] = list.length;
    for (const [i, { page, slots }] of list.entries()) {
      words[1 + 2 * i] = page;
      words[2 + 2 * i] = slots;
    }
  }

  /** The words of the lists of so many blocks, for reading and writing. */
  words({ heads, capacity }: BlockLists, blocks: number): Int32Array {
    return this.#device.ints(this.#address, blocks * heads * listWords(capacity));
  }

  close(): void {
    if (this.#words > 0) this.#device.free(this.#address);
    this.#words = 0;
  }
}
