import { type BlockLists, listWords } from '@loci/kernels';
import type { Host } from 'loci';
import { Room } from '../methods/room.ts';

/** A page of a list and which of its 32 slots are meant, as a set of bits. */
export interface Listed {
  readonly page: number;
  readonly slots: number;
}

/** Lists that the main thread writes, in device memory that grows as needed. */
export class ListBuffer {
  readonly #device: Host['device'];
  readonly #room: Room;

  constructor(device: Host['device']) {
    this.#device = device;
    this.#room = new Room(device);
  }

  /**
   * Room for lists of blocks of `rows` queries; what was there is lost.
   * @param shape blocks, heads (of keys or of queries) and pages per list at most.
   */
  reserve(
    rows: number,
    shape: { readonly blocks: number; readonly heads: number; readonly capacity: number },
  ): BlockLists {
    const { blocks, heads, capacity } = shape;
    return { address: this.#room.reserve(4 * blocks * heads * listWords(capacity)), rows, heads, capacity };
  }

  /** Writes one list; pages ascend. */
  write({ address, heads, capacity }: BlockLists, block: number, head: number, list: readonly Listed[]): void {
    if (list.length > capacity) throw new RangeError(`${list.length} pages in a list with room for ${capacity}`);
    const at = address + 4 * (block * heads + head) * listWords(capacity);
    const words = this.#device.ints(at, 1 + 2 * list.length);
    words[0] = list.length;
    for (const [i, { page, slots }] of list.entries()) {
      words[1 + 2 * i] = page;
      words[2 + 2 * i] = slots;
    }
  }

  /** The words of the lists of so many blocks, for reading and writing. */
  words({ address, heads, capacity }: BlockLists, blocks: number): Int32Array {
    return this.#device.ints(address, blocks * heads * listWords(capacity));
  }

  close(): void {
    this.#room.close();
  }
}
