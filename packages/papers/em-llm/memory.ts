import type { Encoder } from '@loci/device';
import type { Beside, Host, KvCache, LayerView, Moment, Ran, Read, Remembering, Saved, Session } from 'loci';
import { z } from 'zod';
import { StillRows } from '../remembering/still.ts';
import type { Range } from '../remembering/unrotated.ts';
import { EventStore } from './event-store.ts';
import { shares, sums } from './likeness.ts';
import type { Settings } from './remember.ts';
import { type Asking, Retrieval, savedRetrieval } from './retrieval.ts';
import { Segmentation, savedSegmentation } from './segmentation.ts';

/** What `inspect` tells. */
export interface Memory {
  /** Tokens that were read, and those whose loss was taken on the way. */
  readonly tokens: number;
  readonly scoredTokens: number;
  readonly surprises: number;
  readonly events: readonly Range[];
  /** Where the last event ends. */
  readonly closed: number;
  /** By layer, what the last rows read. */
  readonly recalled: readonly { readonly similar: readonly Range[]; readonly neighbours: readonly Range[] }[];
  readonly vectorBytes: number;
  readonly memoryBytes: number;
  readonly fileBytes: number;
  /** Blocks that came back from the file. */
  readonly fetched: number;
}

/** What the method of a session told of itself. @throws Error when it has none, or another one. */
export function memoryOf({ remembered }: Session): Memory {
  if (!isMemory(remembered)) throw new Error('the session remembers no events');
  return remembered;
}

function isMemory(found: unknown): found is Memory {
  return typeof found === 'object' && found !== null && 'events' in found && 'recalled' in found;
}

/** The parts of the method that go on by themselves in a fork. */
interface Parts {
  readonly segmentation: Segmentation;
  readonly store: EventStore;
  readonly retrieval: Retrieval;
}

/**
 * The method at work. Every key is written twice: as the cache has it, for the local window, and unrotated, at a position
 * `local` further on. So causality itself hides it there for as long as the window shows it, and no token is ever seen
 * twice or not at all, whatever chunks a text is read in.
 */
export class EpisodicMemory implements Remembering {
  readonly chunk: number;
  /** The last token of a prompt asks by itself, as in the official code: what the rows before it chose is there for all layers. */
  readonly apart = 1;
  readonly #host: Host;
  readonly #settings: Settings;
  readonly #still: StillRows;
  readonly #store: EventStore;
  #segmentation: Segmentation;
  #retrieval: Retrieval;
  /** Tokens that have been read. */
  #used = 0;

  constructor(host: Host, settings: Settings, parts?: Parts) {
    this.#host = host;
    this.#settings = settings;
    this.chunk = settings.chunk;
    this.#still = new StillRows(host);
    this.#store = parts?.store ?? new EventStore(host, settings);
    this.#segmentation = parts?.segmentation ?? new Segmentation(settings);
    this.#retrieval = parts?.retrieval ?? new Retrieval(settings, this.#store.lookups);
  }

  begin(cache: KvCache): void {
    this.#store.begin(cache);
    this.#segmentation = new Segmentation(this.#settings);
    this.#retrieval = new Retrieval(this.#settings, this.#store.lookups);
    this.#used = 0;
    for (const [layer, { window }] of this.#host.arch.layers.entries()) {
      for (let head = 0; head < this.#host.arch.kvHeads; head++) {
        cache.setSight(layer, head, { sinks: 0, window: window > 0 ? window : this.#settings.local });
      }
    }
  }

  rotated(encoder: Encoder, view: LayerView): void {
    if (!this.#isGlobal(view.layer)) return;
    const { n, layer, values } = view;
    if (layer === this.#store.layers[0]) this.#prepare(view);
    const { queries, keys, shown } = this.#still.places(n);
    this.#still.record(encoder, view);
    encoder.record(this.#store.keys.append({ keys, values, n, positions: shown, layer }));
    if (this.waits(view)) this.#store.vectors.record(encoder, queries, view);
  }

  attended(encoder: Encoder, view: LayerView): void {
    this.#store.mass.record(encoder, view);
  }

  /** The end of a prompt is read twice where its last token has to choose among events. */
  rehearses(n: number): boolean {
    const { question, choose, mem } = this.#settings;
    return (
      question === 'twice' &&
      choose === 'similar' &&
      mem > 0 &&
      !this.#retrieval.hasRoomForAll(this.#asking(n, 'prompt'))
    );
  }

  recollect(fork: Remembering | undefined): void {
    if (fork === undefined) this.#retrieval.recollect(undefined, 0);
    else if (fork instanceof EpisodicMemory) this.#retrieval.recollect(fork.#retrieval, fork.#used);
  }

  /** Whether events are looked up. */
  waits({ layer, n, moment }: LayerView): boolean {
    return (
      this.#store.lookups.includes(layer) &&
      this.#settings.choose === 'similar' &&
      this.#retrieval.looksUp(this.#asking(n, moment))
    );
  }

  async recall({ layer, n, moment }: LayerView): Promise<readonly Beside[]> {
    const { init, local, official } = this.#settings;
    // Tokens before this one are out of the window of the last row.
    const gone = this.#used + n - local;
    if (!this.#isGlobal(layer) || gone <= 0) return [];
    const { keys, vectors } = this.#store;
    const { closed } = this.#segmentation;
    const { heads, attentionScale: scale } = this.#host.arch;
    // Shares are those of one query: the mean of many is none that a head has.
    const choice = this.#retrieval.choose(layer, this.#asking(n, moment), () =>
      this.#settings.stands === 'mean' || n > 1 ? sums(vectors.scores, heads) : shares(vectors.scores, heads, scale),
    );
    const events = [...choice.events, ...choice.queue].sort((a, b) => a - b);
    const ranges = [
      { start: 0, end: Math.min(init, gone) },
      ...events.map((event) => this.#segmentation.event(event)),
      { start: closed, end: Math.max(closed, gone) },
    ].filter(({ start, end }) => start < end);
    const { queries, last } = this.#still.places(n);
    return [
      {
        queries,
        heads: keys.headsOf(layer),
        slots: this.#used + n,
        format: keys.format,
        lists: await keys.list(layer, ranges, n),
        ...(official === 'yes' && { positions: last }),
      },
    ];
  }

  ran(rows: Ran): void {
    this.#used = rows.position + rows.n;
    this.#store.mass.add(rows);
    this.#retrieval.commit(rows.moment, this.#used);
    this.#store.keys.leave();
  }

  async settle({ cache, position, n, losses }: Read): Promise<void> {
    const length = position + n;
    await this.#segmentation.add(position + 1, losses, length, (range) => this.#store.rowsOf(range));
    const events = this.#segmentation.closable(length);
    await this.#store.add(events);
    this.#segmentation.close(events);
    await this.#store.keys.settle(this.#segmentation.closed);
    cache.trim(length);
    cache.setExactFrom(length);
  }

  inspect(): Memory {
    const { count, closed, surprises, scored } = this.#segmentation;
    const ranges = (events: readonly number[]) => events.map((event) => this.#segmentation.event(event));
    return {
      tokens: this.#used,
      events: Array.from({ length: count }, (_, event) => this.#segmentation.event(event)),
      closed,
      surprises,
      scoredTokens: scored,
      recalled: this.#retrieval.chosen.map((one) => ({
        similar: ranges(one?.events ?? []),
        neighbours: ranges(one?.queue ?? []),
      })),
      vectorBytes: this.#store.vectors.bytes,
      ...this.#store.counts,
    };
  }

  save(): Saved {
    const { saved, lookups } = this.#store;
    const state: z.input<typeof savedState> = {
      ...this.#segmentation.save(),
      used: this.#used,
      retrieval: this.#retrieval.save(),
      format: this.#store.keys.format,
      rotation: this.#still.rotation,
      ...saved,
    };
    return { state, blocks: { count: lookups.length + saved.vectors + saved.pages, read: () => this.#store.export() } };
  }

  async restore(saved: unknown, cache: KvCache, next: () => Promise<Uint8Array>): Promise<void> {
    const read = savedState.safeParse(saved);
    if (!read.success) throw new RangeError('what was remembered cannot be read');
    const state = read.data;
    this.#store.begin(cache);
    const { format } = this.#store.keys;
    if (state.format !== format) throw new RangeError(`what was remembered is in ${state.format}, not ${format}`);
    if (state.rotation !== this.#still.rotation) throw new RangeError('what was remembered was rotated otherwise');
    this.#used = state.used;
    this.#segmentation.restore(state);
    this.#retrieval.restore(state.retrieval);
    await this.#store.import(state, next, state.starts.length, state.closed);
  }

  fork(): Remembering {
    const fork = new EpisodicMemory(this.#host, this.#settings, {
      segmentation: this.#segmentation.fork(),
      store: this.#store.fork(),
      retrieval: this.#retrieval.fork(),
    });
    fork.#used = this.#used;
    return fork;
  }

  close(): void {
    this.#store.close();
    this.#still.close();
  }

  /** The rows of a program begin. */
  #prepare(view: LayerView): void {
    const { n } = view;
    const { local } = this.#settings;
    const { keys, mass } = this.#store;
    const [position] = this.#host.device.ints(view.positions, 1);
    if (position !== this.#used)
      throw new RangeError(`${this.#used} tokens are remembered, and the next is at ${position}`);
    keys.leave();
    keys.reserve(this.#used, n);
    this.#retrieval.begin();
    mass.begin(view, view.slots);
    this.#still.begin(n, this.#used, local - 1, local);
  }

  #asking(n: number, moment: Moment): Asking {
    return { segmentation: this.#segmentation, used: this.#used, n, moment };
  }

  #isGlobal(layer: number): boolean {
    return this.#host.arch.layers[layer]?.window === 0;
  }
}

const savedState = savedSegmentation.extend({
  ...{ used: z.int(), pages: z.int(), vectors: z.int() },
  ...{ retrieval: savedRetrieval, format: z.string(), rotation: z.string() },
});
