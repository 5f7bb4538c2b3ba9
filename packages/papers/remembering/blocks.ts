import { type PageFormat, pageBytes } from '@loci/kernels';
import type { Host, ScratchFile } from 'loci';

type Device = Host['device'];

/** The pages of all heads of a layer that hold the same 32 tokens: what moves between memory and file together. */
export interface Block {
  /** Address of the first head's page, the others `Blocks.pageStride` behind one another; 0 while it lies in the file only. */
  address: number;
  /** Which place of the file it has; −1 for none. */
  place: number;
  /** Sequences that hold it. */
  holders: number;
  /** Programs under way that read it. */
  readers: number;
  /** No more slots of it will be written. */
  isFull: boolean;
}

/** Bytes of memory that are taken at a time. */
const slabBytes = 2 ** 20;

/**
 * Blocks in two tiers: of those that are full at most `capacity` stay in memory, the ones that were read last, and the
 * others lie in a file. What is not full, or is being read, is in memory beside them.
 */
export class Blocks {
  readonly pageStride: number;
  readonly blockBytes: number;
  readonly #device: Device;
  readonly #openFile: () => Promise<ScratchFile>;
  readonly #capacity: number;
  readonly #slabs: number[] = [];
  readonly #free: number[] = [];
  readonly #places: number[] = [];
  #nextPlace = 0;
  #file: Promise<ScratchFile> | undefined;
  /** Full ones in memory, the one that was read longest ago first. */
  readonly #held = new Set<Block>();
  /** Blocks that are on their way from the file. */
  readonly #coming = new Map<Block, Promise<void>>();
  #inMemory = 0;
  #loaded = 0;
  #moved = 0;

  constructor(host: Host, format: PageFormat, capacity: number) {
    const { kvHeads, headSize } = host.arch;
    this.pageStride = Math.ceil(pageBytes(format, headSize) / 64) * 64;
    this.blockBytes = kvHeads * this.pageStride;
    this.#device = host.device;
    this.#openFile = () => host.scratch();
    this.#capacity = capacity;
  }

  /** Bytes of the blocks in memory, of those in the file, and how often one was fetched from there. */
  get counts(): { readonly memoryBytes: number; readonly fileBytes: number; readonly fetched: number } {
    const { blockBytes } = this;
    return {
      memoryBytes: this.#inMemory * blockBytes,
      fileBytes: this.#moved * blockBytes,
      fetched: this.#loaded,
    };
  }

  /** A block of zeros, held once. */
  create(): Block {
    return { address: this.#take(), place: -1, holders: 1, readers: 0, isFull: false };
  }

  /** A full block with these bytes. */
  async createFull(bytes: Uint8Array): Promise<Block> {
    const block = this.create();
    this.#device.bytes(block.address, this.blockBytes).set(bytes);
    this.fill(block);
    await this.shrink();
    return block;
  }

  copy(block: Block): Block {
    const copy = this.create();
    this.#device.bytes(copy.address, this.blockBytes).set(this.#device.bytes(block.address, this.blockBytes));
    return copy;
  }

  /** Nothing more will be written to it. */
  fill(block: Block): void {
    if (block.isFull) return;
    block.isFull = true;
    this.#held.add(block);
  }

  /** Lets it be read until `leave`: it is in memory when this resolves. */
  async enter(block: Block): Promise<void> {
    block.readers++;
    if (this.#held.delete(block)) this.#held.add(block);
    if (block.address === 0) await this.#fetch(block);
  }

  leave(block: Block): void {
    block.readers--;
  }

  release(block: Block): void {
    if (--block.holders > 0) return;
    this.#held.delete(block);
    if (block.address !== 0) this.#give(block);
    if (block.place >= 0) this.#places.push(block.place);
  }

  /** Moves what was not read for the longest time into the file, until the rest is within the capacity. */
  async shrink(): Promise<void> {
    if (this.#held.size <= this.#capacity) return;
    const leaving: Block[] = [];
    for (const block of this.#held) {
      if (this.#held.size - leaving.length <= this.#capacity) break;
      if (block.readers === 0) leaving.push(block);
    }
    const file = await this.#opened();
    await Promise.all(
      leaving.map(async (block) => {
        if (block.place >= 0) return;
        block.place = this.#places.pop() ?? this.#nextPlace++;
        this.#moved = Math.max(this.#moved, this.#nextPlace);
        await file.write(block.place * this.blockBytes, this.#device.bytes(block.address, this.blockBytes).slice());
      }),
    );
    for (const block of leaving) {
      // One that somebody began to read meanwhile stays.
      if (block.readers > 0 || block.address === 0) continue;
      this.#held.delete(block);
      this.#give(block);
    }
  }

  /** Its bytes, wherever it lies. */
  async bytesOf(block: Block): Promise<Uint8Array<ArrayBuffer>> {
    if (block.address !== 0) return this.#device.bytes(block.address, this.blockBytes).slice();
    const out = new Uint8Array(this.blockBytes);
    await (await this.#opened()).readInto(block.place * this.blockBytes, out);
    return out;
  }

  async close(): Promise<void> {
    for (const slab of this.#slabs.splice(0)) this.#device.free(slab);
    this.#free.length = 0;
    this.#held.clear();
    const file = this.#file;
    this.#file = undefined;
    await (await file)?.close();
  }

  #fetch(block: Block): Promise<void> {
    const known = this.#coming.get(block);
    if (known) return known;
    const coming = (async () => {
      const address = this.#take();
      try {
        await (await this.#opened()).readInto(
          block.place * this.blockBytes,
          this.#device.bytes(address, this.blockBytes),
        );
      } catch (error) {
        this.#free.push(address);
        this.#inMemory--;
        throw error;
      }
      block.address = address;
      this.#held.add(block);
      this.#loaded++;
    })().finally(() => this.#coming.delete(block));
    this.#coming.set(block, coming);
    return coming;
  }

  #opened(): Promise<ScratchFile> {
    this.#file ??= this.#openFile();
    return this.#file;
  }

  #take(): number {
    this.#inMemory++;
    const address = this.#free.pop() ?? this.#slab();
    // Kernels may read slots that were never written, and must find finite numbers there.
    this.#device.bytes(address, this.blockBytes).fill(0);
    return address;
  }

  #give(block: Block): void {
    this.#free.push(block.address);
    block.address = 0;
    this.#inMemory--;
  }

  #slab(): number {
    const count = Math.max(1, Math.floor(slabBytes / this.blockBytes));
    const slab = this.#device.allocate(count * this.blockBytes);
    this.#slabs.push(slab);
    for (let i = count - 1; i > 0; i--) this.#free.push(slab + i * this.blockBytes);
    return slab;
  }
}
