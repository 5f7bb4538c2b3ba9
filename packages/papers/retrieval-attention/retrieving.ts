import type { Encoder } from '@loci/device';
import { graphSearch, graphSearchWork, pageSlots } from '@loci/kernels';
import type { Attending, Host, KvCache, LayerView, Moment, Saved, Selection, Settling } from 'loci';
import { ListBuffer } from '../attending/list-buffer.ts';
import { KeyIndex } from './key-index.ts';
import type { Options } from './options.ts';
import { QueryRing } from './queries.ts';

/** Queries without which there is no use in a graph. */
const fewQueries = 64;

/** The method at work: dense while a prompt is read, then an index and searches in it. */
export class Retrieving implements Attending {
  readonly #host: Host;
  readonly #options: Options;
  readonly #ring: QueryRing;
  readonly #lists: ListBuffer;
  #index: KeyIndex | undefined;
  #work = { address: 0, bytes: 0 };

  constructor(host: Host, options: Options, index?: KeyIndex) {
    this.#host = host;
    this.#options = options;
    this.#index = index?.hold();
    this.#ring = new QueryRing(host, options.queries, options.every);
    this.#lists = new ListBuffer(host.device);
  }

  begin(): void {
    this.#drop();
    this.#ring.close();
  }

  rotated(encoder: Encoder, view: LayerView): void {
    if (view.moment === 'decode') return;
    const { from, queries, every } = this.#options;
    const [start = 0] = this.#host.device.ints(view.positions, view.n);
    // An index over a text that is long enough for a graph has later queries than these.
    if (start + view.n > from - queries * every) this.#ring.capture(encoder, view);
  }

  select(encoder: Encoder, view: LayerView): Selection | undefined {
    const { cache, layer, n, slots } = view;
    if (layer === 0 && this.#index && !this.#index.fits(cache)) this.#drop();
    const keys = view.moment === 'decode' ? this.#index?.layer(encoder, view) : undefined;
    if (!keys) return undefined;
    const { k, pool, sinks } = this.#options;
    const { graph, mostBehind } = keys;
    const pages = Math.ceil(slots / pageSlots);
    const capacity = Math.min(
      pages,
      Math.ceil(sinks / pageSlots) + keys.most(k) + Math.ceil((mostBehind + n) / pageSlots) + 1,
    );
    // Layers take turns in one room, which must not move while a program is recorded: it is the largest layer's.
    const most = Math.max(...this.#host.arch.layers.map((_, other) => cache.slotsOf(other))) + n;
    this.#lists.reserve(1, { blocks: n, heads: graph.h, capacity: Math.ceil(most / pageSlots) });
    const lists = this.#lists.reserve(1, { blocks: n, heads: graph.h, capacity });
    const call = { queries: view.queries, n, k, pool: Math.max(1, k, pool), first: sinks, slots, lists };
    const work = this.#room(graphSearchWork(graph, { ...call, slots: most }));
    encoder.record(graphSearch(graph, { ...call, heads: view.heads, counts: view.counts, work }));
    return { lists };
  }

  async settle({ moment, cache, signal, progress }: Settling): Promise<void> {
    if (this.#index && !this.#index.fits(cache)) this.#drop();
    const run = { signal, progress };
    const index = this.#index;
    switch (this.#due(moment, cache)) {
      case 'addition':
        this.#index = await index?.extended(cache, run);
        index?.release();
        break;
      case 'index':
        this.#drop();
        this.#index = await KeyIndex.build(this.#host, this.#options, cache, this.#queries, run);
        this.#ring.close();
    }
  }

  /** What is to be made of the slots that came last. */
  #due(moment: Moment, cache: KvCache): 'nothing' | 'addition' | 'index' {
    const { from, tail } = this.#options;
    if (moment === 'prompt') return 'nothing';
    if (!this.#index) return moment === 'prompt end' ? 'index' : 'nothing';
    const added = this.#index.addedTo(cache);
    if (added < tail) return 'nothing';
    // Half as much again is another text than the one whose queries the index knows.
    const isOther = 2 * added > this.#index.length;
    const isLong = !this.#index.isGraph && this.#queries && this.#index.length + added >= from;
    return moment === 'prompt end' && (isOther || isLong) ? 'index' : 'addition';
  }

  get #queries(): QueryRing | undefined {
    return this.#ring.count >= fewQueries ? this.#ring : undefined;
  }

  /** Per layer and key/value head how many keys the index has, and how many links a key has on average. */
  inspect(): unknown {
    return this.#index?.inspect() ?? null;
  }

  save(): Saved {
    return this.#index?.save() ?? { state: null };
  }

  async restore(state: unknown, next: () => Promise<Uint8Array>): Promise<void> {
    this.#drop();
    this.#index = await KeyIndex.restore(this.#host, this.#options, state, next);
  }

  fork(): Retrieving {
    return this.with(this.#options);
  }

  /** The same index, searched with other options. */
  with(options: Options): Retrieving {
    return new Retrieving(this.#host, options, this.#index);
  }

  /** Keys of a key/value head that are indexed. */
  indexed(layer: number, kvHead: number): number {
    return this.#index?.count(layer, kvHead) ?? 0;
  }

  close(): void {
    this.#drop();
    this.#ring.close();
    this.#lists.close();
    if (this.#work.bytes > 0) this.#host.device.free(this.#work.address);
    this.#work = { address: 0, bytes: 0 };
  }

  #drop(): void {
    this.#index?.release();
    this.#index = undefined;
  }

  #room(bytes: number): number {
    if (bytes > this.#work.bytes) {
      if (this.#work.bytes > 0) this.#host.device.free(this.#work.address);
      this.#work = { address: this.#host.device.allocate(bytes), bytes };
    }
    return this.#work.address;
  }
}
