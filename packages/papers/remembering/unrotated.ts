import { Encoder } from '@loci/device';
import { append, type BlockLists, type Command, headBytes, headWords, type PageFormat, pageSlots } from '@loci/kernels';
import type { Host } from 'loci';
import { ListBuffer } from '../attending/list-buffer.ts';
import type { Block, Blocks } from './blocks.ts';

/** Tokens [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Unrotated keys, and values, of every token of a sequence, layer by layer: slot numbers are positions. Tables of pages
 * name what kernels read next; pages that no list names may lie in a file.
 */
export class Unrotated {
  readonly #host: Host;
  readonly #blocks: Blocks;
  readonly format: PageFormat;
  /** [layer][page] */
  readonly #held: Block[][];
  readonly #lists: ListBuffer[];
  #table = { address: 0, capacity: 0 };
  readonly #entries: number;
  /** Blocks below are full. */
  #full = 0;
  /** Blocks that the program under way reads. */
  #reading: Block[] = [];

  constructor(host: Host, blocks: Blocks, format: PageFormat) {
    const { layers, kvHeads } = host.arch;
    this.#host = host;
    this.#blocks = blocks;
    this.format = format;
    this.#held = layers.map(() => []);
    this.#lists = layers.map(() => new ListBuffer(host.device));
    this.#entries = host.device.allocate(layers.length * kvHeads * headBytes);
  }

  get blockCount(): number {
    return this.#held[0]?.length ?? 0;
  }

  /** Makes room for the tokens [used, used + n) of every layer, and says to kernels that `used` are there. */
  reserve(used: number, n: number): void {
    const { layers, kvHeads } = this.#host.arch;
    const pages = Math.ceil((used + n) / pageSlots);
    if (pages > this.#table.capacity) this.#growTable(pages);
    const first = Math.floor(used / pageSlots);
    for (const layer of layers.keys()) {
      const held = this.#held[layer] ?? [];
      for (let page = first; page < Math.min(pages, held.length); page++) {
        const shared = held[page];
        if (!shared || shared.holders === 1) continue;
        held[page] = this.#blocks.copy(shared);
        shared.holders--;
      }
      while (held.length < pages) held.push(this.#blocks.create());
      for (let page = first; page < pages; page++) this.#place(layer, page);
      for (let head = 0; head < kvHeads; head++) {
        const words = headWords({ table: this.#tableOf(layer, head), used });
        this.#host.device.ints(this.headsOf(layer, head), words.length).set(words);
      }
    }
  }

  /** Address of the layer's [g] entries, or of one of them. */
  headsOf(layer: number, head = 0): number {
    return this.#entries + (layer * this.#host.arch.kvHeads + head) * headBytes;
  }

  /** Writes the list of the slots in some ranges, which ascend, for all heads and `rows` queries of a layer. */
  async list(layer: number, ranges: readonly Range[], rows: number): Promise<BlockLists> {
    const { kvHeads } = this.#host.arch;
    const pages: { page: number; slots: number }[] = [];
    for (const { start, end } of ranges) {
      for (let page = Math.floor(start / pageSlots); page * pageSlots < end; page++) {
        const slots = bits(Math.max(0, start - page * pageSlots), Math.min(pageSlots, end - page * pageSlots));
        const last = pages.at(-1);
        if (last?.page === page) last.slots |= slots;
        else pages.push({ page, slots });
      }
    }
    await Promise.all(pages.map(({ page }) => this.#enter(layer, page)));
    const buffer = this.#lists[layer];
    if (!buffer) throw new RangeError(`layer ${layer}`);
    const lists = buffer.reserve(rows, { blocks: 1, heads: kvHeads, capacity: Math.max(1, pages.length) });
    for (let head = 0; head < kvHeads; head++) buffer.write(lists, 0, head, pages);
    return lists;
  }

  /** The command that writes the rows at hand of a layer behind the used slots. */
  append(rows: {
    readonly keys: number;
    readonly values: number;
    readonly positions: number;
    readonly n: number;
    readonly layer: number;
  }): Command {
    const { kvHeads: g, headSize: d } = this.#host.arch;
    return append({ ...rows, g, d, heads: this.headsOf(rows.layer), format: this.format });
  }

  /** Runs a command for every head of some layers while the pages of some tokens are in memory. */
  async read(
    { start, end }: Range,
    layers: readonly number[],
    command: (head: number, index: number, join: boolean) => Command,
  ): Promise<void> {
    const { kvHeads } = this.#host.arch;
    const encoder = new Encoder();
    const entering: Promise<void>[] = [];
    for (const [i, layer] of layers.entries()) {
      for (let page = Math.floor(start / pageSlots); page * pageSlots < end; page++)
        entering.push(this.#enter(layer, page));
      for (let head = 0; head < kvHeads; head++) {
        const isLast = i === layers.length - 1 && head === kvHeads - 1;
        encoder.record(command(this.headsOf(layer, head), i * kvHeads + head, isLast));
      }
    }
    await Promise.all(entering);
    await this.#host.device.run(encoder);
  }

  /** The program that read is done, or never was. */
  leave(): void {
    for (const block of this.#reading.splice(0)) this.#blocks.leave(block);
  }

  /** Tokens below are only read from now on, and may go into the file. */
  async settle(below: number): Promise<void> {
    const pages = Math.floor(below / pageSlots);
    for (; this.#full < pages; this.#full++) {
      for (const held of this.#held) {
        const block = held[this.#full];
        if (block) this.#blocks.fill(block);
      }
    }
    await this.#blocks.shrink();
  }

  fork(): Unrotated {
    const fork = new Unrotated(this.#host, this.#blocks, this.format);
    for (const [layer, held] of this.#held.entries()) {
      for (const block of held) block.holders++;
      fork.#held[layer]?.push(...held);
    }
    fork.#full = this.#full;
    return fork;
  }

  /** Everything, page by page, all layers of a page together. */
  async *export(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { blockBytes } = this.#blocks;
    for (let page = 0; page < this.blockCount; page++) {
      const out = new Uint8Array(this.#held.length * blockBytes);
      for (const [layer, held] of this.#held.entries()) {
        const block = held[page];
        if (block) out.set(await this.#blocks.bytesOf(block), layer * blockBytes);
      }
      yield out;
    }
  }

  /** Takes the next page in the order of `export`. @throws RangeError when it has another size. */
  async import(bytes: Uint8Array, below: number): Promise<void> {
    const { blockBytes } = this.#blocks;
    if (bytes.length !== this.#held.length * blockBytes) throw new RangeError('a page of another size');
    const isFull = (this.blockCount + 1) * pageSlots <= below;
    for (const [layer, held] of this.#held.entries()) {
      const part = bytes.subarray(layer * blockBytes, (layer + 1) * blockBytes);
      if (isFull) held.push(await this.#blocks.createFull(part));
      else {
        const block = this.#blocks.create();
        this.#host.device.bytes(block.address, blockBytes).set(part);
        held.push(block);
      }
    }
    if (isFull) this.#full = this.blockCount;
  }

  close(): void {
    this.leave();
    for (const held of this.#held) for (const block of held.splice(0)) this.#blocks.release(block);
    for (const lists of this.#lists) lists.close();
    this.#host.device.free(this.#entries);
    if (this.#table.capacity > 0) this.#host.device.free(this.#table.address);
  }

  async #enter(layer: number, page: number): Promise<void> {
    const block = this.#held[layer]?.[page];
    if (!block) throw new RangeError(`page ${page} of layer ${layer}`);
    this.#reading.push(block);
    await this.#blocks.enter(block);
    this.#place(layer, page);
  }

  /** Says to kernels where a page lies. */
  #place(layer: number, page: number): void {
    const address = this.#held[layer]?.[page]?.address ?? 0;
    for (let head = 0; head < this.#host.arch.kvHeads; head++) {
      const at = this.#tableOf(layer, head) + 4 * page;
      this.#host.device.ints(at, 1)[0] = address + head * this.#blocks.pageStride;
    }
  }

  #tableOf(layer: number, head: number): number {
    return this.#table.address + 4 * this.#table.capacity * (layer * this.#host.arch.kvHeads + head);
  }

  #growTable(pages: number): void {
    const { layers, kvHeads } = this.#host.arch;
    if (this.#table.capacity > 0) this.#host.device.free(this.#table.address);
    const capacity = Math.max(64, 2 * this.#table.capacity, pages);
    const bytes = 4 * capacity * layers.length * kvHeads;
    this.#table = { address: this.#host.device.allocate(bytes), capacity };
    this.#host.device.bytes(this.#table.address, bytes).fill(0);
    for (const [layer, held] of this.#held.entries()) for (const page of held.keys()) this.#place(layer, page);
  }
}

/** The set of slots from `from` to before `to`. */
function bits(from: number, to: number): number {
  const upTo = (count: number) => (count >= pageSlots ? -1 : (1 << count) - 1);
  return upTo(to) & ~upTo(from);
}
