import { fetch } from '@loci/kernels';
import type { Host, KvCache } from 'loci';
import { Room } from '../methods/room.ts';
import { Blocks } from '../remembering/blocks.ts';
import { Mass } from '../remembering/mass.ts';
import { type Range, Unrotated } from '../remembering/unrotated.ts';
import { Vectors } from '../remembering/vectors.ts';
import { highest } from './choose.ts';
import { lookupLayers } from './lookup.ts';
import type { Rows } from './refine.ts';
import type { Settings } from './remember.ts';

/** Blocks that several sequences may hold. */
interface SharedBlocks {
  readonly blocks: Blocks;
  users: number;
}

/** What is remembered of a text: unrotated keys and values of all tokens, the attention they received, vectors of events. */
export class EventStore {
  readonly #host: Host;
  readonly #settings: Settings;
  /** Layers that see everything, and those of them whose queries look events up. */
  readonly layers: readonly number[];
  readonly lookups: readonly number[];
  #shared: SharedBlocks | undefined;
  #keys: Unrotated | undefined;
  #vectors: Vectors;
  #mass: Mass;
  readonly #fetched: Room;

  constructor(host: Host, settings: Settings) {
    this.#host = host;
    this.#settings = settings;
    this.layers = [...host.arch.layers.keys()].filter((layer) => host.arch.layers[layer]?.window === 0);
    this.lookups = lookupLayers(settings.lookup, host.arch);
    this.#vectors = new Vectors(host, this.lookups, vectorsOf(settings));
    this.#mass = new Mass(host, massWindow(settings), this.lookups);
    this.#fetched = new Room(host.device);
  }

  /** @throws RangeError when nothing has begun yet. */
  get keys(): Unrotated {
    if (!this.#keys) throw new RangeError('nothing has begun yet');
    return this.#keys;
  }

  get vectors(): Vectors {
    return this.#vectors;
  }

  get mass(): Mass {
    return this.#mass;
  }

  get counts(): Blocks['counts'] {
    return this.#shared?.blocks.counts ?? { memoryBytes: 0, fileBytes: 0, fetched: 0 };
  }

  /** A text begins. */
  begin(cache: KvCache): void {
    this.#drop();
    this.#vectors = new Vectors(this.#host, this.lookups, vectorsOf(this.#settings));
    this.#mass = new Mass(this.#host, massWindow(this.#settings), this.lookups);
    const { format } = cache.pool;
    const capacity = Math.ceil(this.#settings.fast / 32) * this.#host.arch.layers.length;
    const blocks = new Blocks(this.#host, format, capacity);
    this.#shared = { blocks, users: 1 };
    this.#keys = new Unrotated(this.#host, blocks, format);
  }

  /**
   * Adds events that follow one another. What stands for an event, for every layer that looks up and query head, are the keys of those
   * of its tokens that have received the most attention from the head, or their mean (section 3.2).
   */
  async add(events: readonly Range[]): Promise<void> {
    const [first, last] = [events[0], events.at(-1)];
    if (!first || !last) return;
    const { heads: h, kvHeads: g, headSize: d } = this.#host.arch;
    const keys = await this.#fetch({ start: first.start, end: last.end }, this.lookups);
    for (const { start, end } of events) {
      this.#vectors.push((index) => {
        const vectors = Array.from({ length: vectorsOf(this.#settings) }, () => new Float32Array(h * d));
        for (let head = 0; head < h; head++) {
          const mass = Float32Array.from({ length: end - start }, (_, i) => this.#mass.of(index, head, start + i));
          const chosen = highest(mass, this.#settings.tokens).map((i) =>
            keys(index * g + Math.floor((head * g) / h), start + i),
          );
          for (const [i, vector] of vectors.entries()) {
            // Of an event that has fewer tokens the first stands there again.
            const own = this.#settings.stands === 'mean' ? chosen : [chosen[i] ?? chosen[0] ?? []];
            addMean(own, vector.subarray(head * d, (head + 1) * d));
          }
        }
        return vectors;
      });
    }
  }

  /** Keys of the last layers side by side, for the tokens of a range. */
  async rowsOf(range: Range): Promise<(start: number, end: number) => Rows> {
    const from = Math.min(this.#settings.layers, this.#host.arch.layers.length - 1);
    const layers = this.layers.filter((layer) => layer >= from);
    const keys = await this.#fetch(range, layers);
    const { kvHeads: g, headSize: d } = this.#host.arch;
    const width = layers.length * g * d;
    return (start, end) => {
      const values = new Float32Array((end - start) * width);
      for (let token = start; token < end; token++) {
        for (let i = 0; i < layers.length * g; i++) values.set(keys(i, token), (token - start) * width + i * d);
      }
      return { count: end - start, width, values };
    };
  }

  fork(): EventStore {
    const fork = new EventStore(this.#host, this.#settings);
    fork.#shared = this.#shared;
    if (this.#shared) this.#shared.users++;
    fork.#keys = this.#keys?.fork();
    fork.#vectors = this.#vectors.fork();
    fork.#mass = this.#mass.fork();
    return fork;
  }

  /** How many blocks `export` gives, of pages and of vectors, beside one for each layer that looks up. */
  get saved(): { readonly pages: number; readonly vectors: number } {
    return { pages: this.keys.blockCount, vectors: this.#vectors.slabCount };
  }

  async *export(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield* this.#mass.export();
    yield* this.#vectors.export();
    yield* this.keys.export();
  }

  /**
   * Takes what `export` gave into a text that has just begun.
   * @param events How many there are. @param closed Where they end.
   * @throws RangeError when something has another size.
   */
  async import(
    { pages, vectors }: EventStore['saved'],
    next: () => Promise<Uint8Array>,
    events: number,
    closed: number,
  ): Promise<void> {
    for (const index of this.lookups.keys()) this.#mass.import(index, await next());
    for (let i = 0; i < vectors; i++) this.#vectors.import(await next(), events);
    for (let i = 0; i < pages; i++) await this.keys.import(await next(), closed);
  }

  close(): void {
    this.#drop();
    this.#fetched.close();
  }

  /** Unrotated keys of some tokens, by (layer, head) in their order and token, as the store holds them. */
  async #fetch(range: Range, layers: readonly number[]): Promise<(at: number, token: number) => Float32Array> {
    const { device, arch } = this.#host;
    const { kvHeads: g, headSize: d } = arch;
    const { keys } = this;
    const count = range.end - range.start;
    const keyFloats = layers.length * g * count * d;
    const address = this.#fetched.reserve(4 * (keyFloats + count * d + 2 * count));
    // Nobody wants values and positions: they are written to one place by all.
    const values = address + 4 * keyFloats;
    const slots = values + 4 * count * d;
    device.ints(slots, count).set(Int32Array.from({ length: count }, (_, i) => range.start + i));
    try {
      await keys.read(range, layers, (head, i, join) =>
        fetch({
          ...{ head, slots, count, d, format: keys.format, values, positions: slots + 4 * count, join },
          keys: address + 4 * i * count * d,
        }),
      );
    } finally {
      keys.leave();
    }
    return (at, token) => device.floats(address + 4 * (at * count + token - range.start) * d, d);
  }

  #drop(): void {
    this.#keys?.close();
    this.#keys = undefined;
    this.#vectors.close();
    this.#mass.close();
    if (this.#shared && --this.#shared.users === 0) void this.#shared.blocks.close();
    this.#shared = undefined;
  }
}

function addMean(keys: readonly ArrayLike<number>[], to: Float32Array): void {
  for (const key of keys) for (let c = 0; c < to.length; c++) to[c] = (to[c] ?? 0) + (key[c] ?? 0) / keys.length;
}

/** Vectors of an event. */
function vectorsOf({ stands, tokens }: Settings): number {
  return stands === 'mean' ? 1 : tokens;
}

/** Tokens whose attention is counted: all that are in the cache, and those that no event has taken yet. */
function massWindow({ local, chunk, max }: Settings): number {
  return local + 2 * chunk + 4 * max + 128;
}
