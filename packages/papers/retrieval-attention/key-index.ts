import { Encoder } from '@loci/device';
import { fetch, graphLink, graphLinkWork, graphNearest, graphRows } from '@loci/kernels';
import type { Host, KvCache, LayerView, Saved, Settling } from 'loci';
import { slotRange } from '../keeping/rows.ts';
import { Room } from '../methods/room.ts';
import { copyLayer, type Layer, linkWords, newLayer } from './layer.ts';
import { longest } from './longest.ts';
import type { Options } from './options.ts';
import type { QueryRing } from './queries.ts';
import { packLinks, type SavedIndex, savedIndex, unpackLinks } from './saved.ts';

type Run = Pick<Settling, 'signal' | 'progress'>;

/** Query heads that programs of the build are made of, for every thread: each is linked by one. */
const headsPerThread = 8;

/**
 * The keys of a cache but for its first and last slots: as integers, and, where there are queries to build it of, a graph for
 * every query head. It belongs to the slots it was made of, and to all sequences that go on from them.
 */
export class KeyIndex {
  readonly isGraph: boolean;
  readonly #host: Host;
  readonly #options: Options;
  readonly #layers: (Layer | undefined)[];
  /** Slots of the first head when it was made: those behind are in no index. */
  readonly #used: number;
  /** Of the cache; undefined until a restored one is used. */
  #edition: number | undefined;
  #holders = 1;
  /** For what is read on the way. */
  readonly #room: Room;

  private constructor(
    host: Host,
    options: Options,
    isGraph: boolean,
    used: number,
    counts: readonly (readonly number[])[],
  ) {
    this.#host = host;
    this.#options = options;
    this.#room = new Room(host.device);
    this.isGraph = isGraph;
    this.#used = used;
    // A layer with a window of its own reads little as it is.
    this.#layers = counts.map((own, layer) =>
      host.arch.layers[layer]?.window ? undefined : newLayer(host, own, options.degree, isGraph),
    );
  }

  /** Indexes the keys of a cache. @throws DeviceError `aborted`, `memory`, and others. */
  static async build(
    host: Host,
    options: Options,
    cache: KvCache,
    ring: QueryRing | undefined,
    run: Run,
  ): Promise<KeyIndex | undefined> {
    const counts = countsOf(host, cache, options);
    const most = Math.max(...counts.flat());
    if (most <= 0) return undefined;
    const queries = most >= options.from ? ring : undefined;
    const index = new KeyIndex(host, options, queries !== undefined, cache.usedOf(0, 0), counts);
    return await index.#made(
      cache,
      counts.map((heads) => heads.map(() => 0)),
      queries,
      run,
    );
  }

  /** Tokens that it knew of. */
  get length(): number {
    return this.#used;
  }

  /** Keys of a head that are in it. */
  count(layer: number, kvHead: number): number {
    return this.#layers[layer]?.counts[kvHead] ?? 0;
  }

  /** Tokens that came later. */
  addedTo(cache: KvCache): number {
    return cache.usedOf(0, 0) - this.#used;
  }

  /** Whether all that is indexed is still in the cache, where it was. */
  fits(cache: KvCache): boolean {
    this.#edition ??= cache.edition;
    const { sinks } = this.#options;
    return (
      cache.edition === this.#edition &&
      this.#layers.every((layer, index) =>
        (layer?.counts ?? []).every((count, head) => count === 0 || cache.usedOf(index, head) >= sinks + count),
      )
    );
  }

  /** An index of this and the keys that have left the window since. */
  async extended(cache: KvCache, run: Run): Promise<KeyIndex> {
    const counts = countsOf(this.#host, cache, this.#options);
    const next = new KeyIndex(this.#host, this.#options, this.isGraph, cache.usedOf(0, 0), counts);
    for (const [index, layer] of this.#layers.entries()) {
      const to = next.#layers[index];
      if (layer && to) copyLayer(this.#host.device, layer, to, this.isGraph);
    }
    const from = counts.map((heads, layer) => heads.map((_, head) => this.#layers[layer]?.counts[head] ?? 0));
    return await next.#made(cache, from, undefined, run);
  }

  /**
   * What a search in a layer needs: its graph, the most keys that k of a head are, and the most slots behind the indexed ones;
   * undefined where the layer has no index.
   */
  layer(encoder: Encoder, { layer: index, cache, format }: LayerView) {
    const layer = this.#layers[index];
    if (!layer) return undefined;
    if (!layer.isFilled) {
      layer.isFilled = true;
      this.#recordRows(encoder, layer, cache, index, format);
    }
    const { graph, counts } = layer;
    const behind = counts.map((count, head) => cache.usedOf(index, head) - this.#options.sinks - count);
    return {
      graph,
      most: (k: number) => Math.max(...counts.map((count) => Math.min(k, count))),
      mostBehind: Math.max(0, ...behind),
    };
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    if (--this.#holders > 0) return;
    for (const layer of this.#layers.splice(0)) if (layer) this.#host.device.free(layer.address);
    this.#room.close();
  }

  /** The neighbours of the keys of a query head. */
  links(layer: number, head: number): number[][] {
    const { graph, counts } = this.#layers[layer] ?? {};
    if (!graph || graph.links === 0) return [];
    const { h, g, room, capacity } = graph;
    const all = linkWords(this.#host.device, graph, head);
    return Array.from({ length: counts?.[Math.floor((head * g) / h)] ?? 0 }, (_, key) => {
      const at = key * (capacity + 1);
      return key < room ? [...all.subarray(at + 1, at + 1 + (all[at] ?? 0))] : [];
    });
  }

  inspect(): unknown {
    const degrees = this.#layers.map((layer, index) => {
      if (!layer || !this.isGraph) return 0;
      const lists = Array.from({ length: layer.graph.h }, (_, head) => this.links(index, head)).flat();
      return lists.reduce((sum, { length }) => sum + length, 0) / Math.max(1, lists.length);
    });
    return { indexed: this.#layers.map((layer) => layer?.counts ?? []), meanLinks: degrees };
  }

  /** The links of a layer are a block of bytes; rows are made anew of the cache. */
  save(): Saved {
    const layers = this.#layers.map((layer) => {
      if (!layer) return null;
      const { graph, counts, norms } = layer;
      return { counts, norms, starts: [...this.#host.device.ints(graph.starts, graph.h)] };
    });
    const state: SavedIndex = { used: this.#used, isGraph: this.isGraph, layers };
    if (!this.isGraph) return { state };
    const linked = this.#layers.flatMap((layer, index) => (layer ? [index] : []));
    const { heads } = this.#host.arch;
    const linksOf = (index: number) => Array.from({ length: heads }, (_, head) => this.links(index, head));
    const read = async function* () {
      for (const index of linked) yield packLinks(linksOf(index));
    };
    return { state, blocks: { count: linked.length, read } };
  }

  /** @throws RangeError when it was not saved by `save`, or by another model. */
  static async restore(
    host: Host,
    options: Options,
    saved: unknown,
    next: () => Promise<Uint8Array>,
  ): Promise<KeyIndex> {
    const { used, isGraph, layers } = savedIndex(saved);
    const { kvHeads, heads } = host.arch;
    if (layers.length !== host.arch.layers.length) throw new RangeError('an index of another model');
    const counts = layers.map((layer) => layer?.counts ?? Array.from({ length: kvHeads }, () => 0));
    const index = new KeyIndex(host, options, isGraph, used, counts);
    for (const [i, layer] of layers.entries()) {
      const own = index.#layers[i];
      if (!layer || !own) continue;
      if (layer.norms.length !== kvHeads || layer.starts.length !== heads)
        throw new RangeError('an index of another model');
      host.device.ints(own.graph.starts, heads).set(layer.starts);
      own.norms.splice(0, kvHeads, ...layer.norms);
      if (!isGraph) continue;
      const keys = Array.from({ length: heads }, (_, head) => own.counts[Math.floor((head * kvHeads) / heads)] ?? 0);
      for (const [head, lists] of unpackLinks(await next(), keys, own.graph.capacity).entries()) {
        const words = linkWords(host.device, own.graph, head);
        for (const [key, list] of lists.entries()) words.set([list.length, ...list], key * (own.graph.capacity + 1));
      }
    }
    return index;
  }

  /** Fills the layers from some keys on, several at a time, and says how far it is. */
  async #made(
    cache: KvCache,
    from: readonly (readonly number[])[],
    ring: QueryRing | undefined,
    { signal, progress }: Run,
  ): Promise<this> {
    const { device, arch } = this.#host;
    this.#edition = cache.edition;
    const each = Math.max(1, Math.ceil((headsPerThread * device.threads) / arch.heads));
    try {
      for (let first = 0; first < this.#layers.length; first += each) {
        progress?.('indexing keys', first / this.#layers.length);
        const batch = this.#layers
          .slice(first, first + each)
          .flatMap((layer, i) => (layer ? [{ layer, index: first + i }] : []));
        await this.#fill(cache, batch, from, ring, signal);
      }
    } catch (error) {
      this.release();
      throw error;
    } finally {
      this.#room.close();
    }
    progress?.('indexing keys', 1);
    return this;
  }

  async #fill(
    cache: KvCache,
    batch: readonly { readonly layer: Layer; readonly index: number }[],
    from: readonly (readonly number[])[],
    ring: QueryRing | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { device, arch } = this.#host;
    const { heads: h, kvHeads: g } = arch;
    const { degree, neighbours, build } = this.#options;
    const taken: number[] = [];
    const take = (bytes: number) => {
      const address = device.allocate(Math.max(4, bytes));
      taken.push(address);
      return address;
    };
    try {
      const encoder = new Encoder();
      for (const { layer, index } of batch) {
        const begin = from[index] ?? [];
        // Lengths are those of the keys that the index was built of.
        if (begin.every((count) => count === 0)) await this.#measure(cache, layer, index, signal);
        this.#recordRows(encoder, layer, cache, index, cache.pool.format, begin);
      }
      await device.run(encoder, signal);
      if (!this.isGraph) return;
      const linking = new Encoder();
      const found = batch.map(({ layer, index }) => {
        const places = ring?.places ?? 0;
        const starts = take(4 * g);
        device.ints(starts, g).set(from[index] ?? []);
        const limits = take(4 * g * places);
        if (ring) this.#writeLimits(limits, cache, layer, index, ring);
        const queries = ring && {
          ...{ queries: ring.rows(index), count: places, places, limits, neighbours },
          nearest: take(8 * h * places * neighbours),
        };
        return { layer, queries, from: starts };
      });
      const last = found.length - 1;
      for (const [i, { layer, queries }] of found.entries()) {
        if (queries) linking.record(graphNearest(layer.graph, queries, i === last));
      }
      for (const [i, { layer, queries, from: starts }] of found.entries()) {
        const call = { degree, pool: build, from: starts, ...(queries && { queries }) };
        linking.record(graphLink(layer.graph, { ...call, work: take(graphLinkWork(layer.graph, call)) }, i === last));
      }
      await device.run(linking, signal);
    } finally {
      for (const address of taken) device.free(address);
    }
  }

  /** Finds how long the longest key of every head is; a head with a key that is none is not indexed. */
  async #measure(cache: KvCache, layer: Layer, index: number, signal: AbortSignal | undefined): Promise<void> {
    const { device, arch } = this.#host;
    const encoder = new Encoder();
    const keys = this.#recordFetch(
      encoder,
      layer,
      cache,
      index,
      cache.pool.format,
      layer.counts.map(() => 0),
    );
    await device.run(encoder, signal);
    for (const [head, { address, count }] of keys.entries()) {
      const norm = longest(device.floats(address, count * arch.headSize), arch.headSize);
      layer.norms[head] = norm;
      if (!Number.isFinite(norm)) layer.counts[head] = 0;
    }
    device.ints(layer.graph.counts, arch.kvHeads).set(layer.counts);
  }

  /** Records that keys from some on become rows of integers. */
  #recordRows(
    encoder: Encoder,
    layer: Layer,
    cache: KvCache,
    index: number,
    format: LayerView['format'],
    from: readonly number[] = layer.counts.map(() => 0),
  ): void {
    const { graph, norms } = layer;
    const { d, room } = graph;
    for (const [head, { address, count }] of this.#recordFetch(encoder, layer, cache, index, format, from).entries()) {
      if (count === 0) continue;
      const out = graph.rows + 2 * head * room * d;
      encoder.record(
        graphRows({ x: address, n: count, heads: 1, d, out, room, first: from[head] ?? 0, norm: norms[head] ?? 0 }),
      );
    }
    layer.isFilled = true;
  }

  /** Records that keys from some on are read as floats, [count, d] of every head. */
  #recordFetch(
    encoder: Encoder,
    { counts, graph: { d } }: Layer,
    cache: KvCache,
    index: number,
    format: LayerView['format'],
    from: readonly number[],
  ): readonly { readonly address: number; readonly count: number }[] {
    const { device } = this.#host;
    const { sinks } = this.#options;
    // Of the largest layer, since it must not move while a program is recorded.
    const most = Math.max(...this.#layers.flatMap((layer) => layer?.counts ?? []));
    const size = 4 * most * (2 + d);
    const room = this.#room.reserve((counts.length + 1) * size);
    return counts.map((end, head) => {
      const first = from[head] ?? 0;
      const count = Math.max(0, end - first);
      const address = room + head * size;
      const lists = address + 4 * most * d;
      if (count > 0) {
        device.ints(lists, count).set(slotRange(sinks + first, sinks + end));
        encoder.record(
          fetch({
            ...{ head: cache.headsOf(index, head), slots: lists, count, d, format, keys: address },
            // Nobody wants the values.
            ...{ values: room + counts.length * size, positions: lists + 4 * most },
          }),
        );
      }
      return { address, count };
    });
  }

  /** How many of the indexed keys the query in every place of the ring sees. */
  #writeLimits(address: number, cache: KvCache, { counts }: Layer, index: number, ring: QueryRing): void {
    const { sinks } = this.#options;
    for (const [head, count] of counts.entries()) {
      const held = cache.exactFrom === 0 ? undefined : cache.positions(index, head);
      const limits = this.#host.device.ints(address + 4 * head * ring.places, ring.places);
      for (let place = 0; place < ring.places; place++) {
        const position = ring.positionIn(place);
        if (position === undefined) limits[place] = 0;
        else limits[place] = Math.min(count, Math.max(0, slotsUpTo(position, held) - sinks));
      }
    }
  }
}

/** Keys of every [layer][head] that are neither among the first nor the last. */
function countsOf({ arch }: Host, cache: KvCache, { sinks, window }: Options): number[][] {
  return arch.layers.map((_, layer) =>
    Array.from({ length: arch.kvHeads }, (_, head) => Math.max(0, cache.usedOf(layer, head) - sinks - window)),
  );
}

/** Slots whose position is not above this one; slots are positions where none are given. */
function slotsUpTo(position: number, held: Int32Array | undefined): number {
  if (!held) return position + 1;
  let [low, high] = [0, held.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((held[middle] ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
