import type { Chunks } from '@loci/kernels';
import type { Host } from 'loci';

/**
 * Chunks of a sequence in device memory: where they end, for groups of layers that are cut in the same places, and sums of
 * their keys, for every layer.
 */
export class ChunkTable {
  readonly #host: Host;
  readonly #groups: number;
  #room = { address: 0, capacity: 0 };

  constructor(host: Host, groups: number) {
    this.#host = host;
    this.#groups = groups;
  }

  /** Makes room for so many chunks in all; what is there stays. */
  reserve(chunks: number): void {
    const { address, capacity } = this.#room;
    if (chunks <= capacity) return;
    const { device, arch } = this.#host;
    const old = new ChunkTable(this.#host, this.#groups);
    old.#room = this.#room;
    const larger = Math.max(chunks, 2 * capacity, 64);
    const words = this.#groups * (1 + larger) + arch.layers.length * larger * (arch.headSize + 1);
    this.#room = { address: device.allocate(4 * words), capacity: larger };
    for (let group = 0; group < this.#groups; group++) this.write(group, 0, []);
    if (capacity === 0) return;
    this.#take(old);
    device.free(address);
  }

  copy(): ChunkTable {
    const copy = new ChunkTable(this.#host, this.#groups);
    if (this.#room.capacity === 0) return copy;
    copy.reserve(this.#room.capacity);
    copy.#take(this);
    return copy;
  }

  /** Where the chunks of a layer lie, which is cut as a group is. */
  of(layer: number, group: number): Chunks {
    const { address, capacity } = this.#room;
    const d = this.#host.arch.headSize;
    const count = address + 4 * group * (1 + capacity);
    const sums = address + 4 * (this.#groups * (1 + capacity) + layer * capacity * (d + 1));
    return { count, ends: count + 4, sums, slots: sums + 4 * capacity * d };
  }

  /** Ends of a group's chunks, as the last program left them. */
  read(group: number): number[] {
    const { count, ends } = this.of(0, group);
    const [length = 0] = this.#words(count, 1);
    return [...this.#words(ends, length)];
  }

  /** Writes ends behind the first `before` chunks. */
  write(group: number, before: number, more: readonly number[]): void {
    const { count, ends } = this.of(0, group);
    this.#words(count, 1)[0] = before + more.length;
    this.#words(ends + 4 * before, more.length).set(more);
  }

  /** Takes over what is in another table, which has no more room than this one. */
  #take(other: ChunkTable): void {
    const { capacity } = other.#room;
    const { layers, headSize } = this.#host.arch;
    const move = (from: number, to: number, words: number) => this.#words(to, words).set(this.#words(from, words));
    for (let group = 0; group < this.#groups; group++) {
      move(other.of(0, group).count, this.of(0, group).count, 1 + capacity);
    }
    for (const layer of layers.keys()) {
      const [from, to] = [other.of(layer, 0), this.of(layer, 0)];
      move(from.sums, to.sums, capacity * headSize);
      move(from.slots, to.slots, capacity);
    }
  }

  #words(address: number, count: number): Int32Array {
    return this.#host.device.ints(address, count);
  }

  close(): void {
    if (this.#room.capacity > 0) this.#host.device.free(this.#room.address);
    this.#room = { address: 0, capacity: 0 };
  }
}
