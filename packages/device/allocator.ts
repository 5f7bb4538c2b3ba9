/**
 * First-fit allocator over a growing linear memory. Blocks are few and large (weights, work buffers, slabs of cache
 * pages), so a sorted list of holes is enough.
 */
export class Allocator {
  readonly #holes: { address: number; bytes: number }[] = [];
  readonly #sizes = new Map<number, number>();
  readonly #grow: (end: number) => void;
  #end: number;

  /** `grow(end)` must make the memory at least `end` bytes long, or throw. */
  constructor(start: number, grow: (end: number) => void) {
    this.#end = start;
    this.#grow = grow;
  }

  /** Bytes handed out and not yet freed. */
  get bytesInUse(): number {
    let total = 0;
    for (const bytes of this.#sizes.values()) total += bytes;
    return total;
  }

  /** Address of `bytes` bytes, aligned to 64; the contents are undefined. */
  allocate(bytes: number): number {
    const size = Math.max(64, Math.ceil(bytes / 64) * 64);
    const hole = this.#holes.find((candidate) => candidate.bytes >= size);
    let address: number;
    if (hole) {
      address = hole.address;
      hole.address += size;
      hole.bytes -= size;
      if (hole.bytes === 0) this.#holes.splice(this.#holes.indexOf(hole), 1);
    } else {
      // What is free at the end of memory is the beginning of the new block.
      const last = this.#holes.at(-1);
      const touches = last !== undefined && last.address + last.bytes === this.#end;
      address = touches ? last.address : this.#end;
      this.#grow(address + size);
      if (touches) this.#holes.pop();
      this.#end = address + size;
    }
    this.#sizes.set(address, size);
    return address;
  }

  free(address: number): void {
    const bytes = this.#sizes.get(address);
    if (bytes === undefined) throw new Error(`free of ${address}, which is not allocated`);
    this.#sizes.delete(address);
    let index = this.#holes.findIndex((hole) => hole.address > address);
    if (index < 0) index = this.#holes.length;
    this.#holes.splice(index, 0, { address, bytes });
    this.#join(index);
    if (index > 0) this.#join(index - 1);
  }

  #join(index: number): void {
    const hole = this.#holes[index];
    const next = this.#holes[index + 1];
    if (hole && next && hole.address + hole.bytes === next.address) {
      hole.bytes += next.bytes;
      this.#holes.splice(index + 1, 1);
    }
  }
}
