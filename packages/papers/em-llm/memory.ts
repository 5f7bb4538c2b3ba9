import type { Encoder } from '@loci/device';
import { Random } from '@loci/evaluate';
import { copy, fetch, rope, ropeTables } from '@loci/kernels';
import type { Architecture, Beside, Host, KvCache, LayerView, Ran, Read, Remembering, Saved, Session } from 'loci';
import { z } from 'zod';
import { Room } from '../methods/room.ts';
import { Blocks } from '../remembering/blocks.ts';
import { Mass } from '../remembering/mass.ts';
import { type Range, Unrotated } from '../remembering/unrotated.ts';
import { Vectors } from '../remembering/vectors.ts';
import { highest, neighbours, withinBudget } from './choose.ts';
import { refined } from './refine.ts';
import type { Settings } from './remember.ts';
import { closeEvents } from './spans.ts';
import { surprising } from './surprise.ts';

type Shape = Architecture['layers'][number];

/** What has been decided about the text so far. */
interface Text {
  /** Tokens that have been read. */
  used: number;
  /** Tokens before this one are of the beginning or of events; from here on to the window they are the remainder. */
  closed: number;
  /** −ln p of every token, NaN where it is not known. */
  losses: number[];
  /** Cuts behind the last event, ascending. */
  cuts: number[];
  /** First tokens of the events; each ends where the next begins, and the last at `closed`. */
  starts: number[];
  /** Events that stay as neighbours of what was chosen, by layer. */
  queues: (readonly number[])[];
  /** Tokens whose loss was taken on the way, and those of them that surprised. */
  scored: number;
  surprises: number;
}

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

/**
 * The method at work. Every key is written twice: as the cache has it, for the local window, and unrotated, at a position
 * `local` further on. So causality itself hides it there for as long as the window shows it, and no token is ever seen
 * twice or not at all, whatever chunks a text is read in.
 */
export class EpisodicMemory implements Remembering {
  readonly chunk: number;
  readonly #host: Host;
  readonly #settings: Settings;
  /** Distinct rotations, and which one a layer has. */
  readonly #rotations: readonly Shape[];
  #memory: { readonly blocks: Blocks; users: number } | undefined;
  #keys: Unrotated | undefined;
  #vectors: Vectors;
  #mass: Mass;
  #text: Text;
  #room: { readonly address: number; readonly rows: number } | undefined;
  readonly #fetched: Room;
  /** The layers' choices of the program under way, and of the last one. */
  #chosen: { readonly events: readonly number[]; readonly queue: readonly number[] }[] = [];

  constructor(host: Host, settings: Settings) {
    this.#host = host;
    this.#settings = settings;
    this.#fetched = new Room(host.device);
    this.chunk = settings.chunk;
    const { layers } = host.arch;
    this.#rotations = layers.filter(
      (one, i) => layers.findIndex(({ frequencies }) => frequencies === one.frequencies) === i,
    );
    this.#vectors = new Vectors(host);
    this.#mass = new Mass(host, massWindow(settings));
    this.#text = newText(settings, layers.length);
  }

  begin(cache: KvCache): void {
    this.#drop();
    this.#vectors = new Vectors(this.#host);
    this.#mass = new Mass(this.#host, massWindow(this.#settings));
    this.#text = newText(this.#settings, this.#host.arch.layers.length);
    this.#open(cache);
    for (const [layer, { window }] of this.#host.arch.layers.entries()) {
      for (let head = 0; head < this.#host.arch.kvHeads; head++) {
        cache.setSight(layer, head, { sinks: 0, window: window > 0 ? window : this.#settings.local });
      }
    }
  }

  rotated(encoder: Encoder, view: LayerView): void {
    if (!this.#isGlobal(view.layer)) return;
    const { heads: h, kvHeads: g, headSize: d, pairs, rotated } = this.#host.arch;
    const keys = this.#keysOf();
    const { n, layer } = view;
    if (layer === this.#firstLayer()) this.#prepare(view);
    const room = this.#places(n);
    const shape = this.#host.arch.layers[layer];
    const table = this.#rotations.findIndex(({ frequencies }) => frequencies === shape?.frequencies);
    const angles = (which: 'queries' | 'keys') => ({
      cos: room.table(table, which, 'cos'),
      sin: room.table(table, which, 'sin'),
    });
    const rows = { rows: room.numbers, n };
    encoder.record(
      copy({ ...rows, from: view.queries, stride: h * d, columns: h * d, out: room.queries }),
      copy({ ...rows, from: view.keys, stride: g * d, columns: g * d, out: room.keys }),
      rope({ x: room.queries, n, heads: h, d, rotated, pairs, ...angles('queries'), join: false }),
      rope({ x: room.keys, n, heads: g, d, rotated, pairs, ...angles('keys') }),
      keys.append({ keys: room.keys, values: view.values, n, positions: room.shown, layer }),
    );
    if (this.waits(view)) this.#vectors.record(encoder, room.queries, view);
  }

  attended(encoder: Encoder, view: LayerView): void {
    if (this.#isGlobal(view.layer)) this.#mass.record(encoder, view);
  }

  /** Events are looked up where not all of them have room. */
  waits(view: LayerView): boolean {
    return this.#isGlobal(view.layer) && this.#settings.choose === 'similar' && !this.#hasRoomForAll(view.n);
  }

  async recall(view: LayerView): Promise<readonly Beside[]> {
    const { layer, n } = view;
    const { init, local, official } = this.#settings;
    const { used, closed } = this.#text;
    // Tokens before this one are out of the window of the last row.
    const gone = used + n - local;
    if (!this.#isGlobal(layer) || gone <= 0) return [];
    const choice = this.#choose(layer, n);
    this.#chosen[layer] = choice;
    const events = [...choice.events, ...choice.queue].sort((a, b) => a - b).map((event) => this.#event(event));
    const remainder = { start: closed, end: Math.max(closed, gone) };
    const ranges = [{ start: 0, end: Math.min(init, gone) }, ...events, remainder].filter(
      ({ start, end }) => start < end,
    );
    const keys = this.#keysOf();
    const room = this.#places(n);
    return [
      {
        queries: room.queries,
        heads: keys.headsOf(layer),
        slots: used + n,
        format: keys.format,
        lists: await keys.list(layer, ranges, n),
        ...(official === 'yes' && { positions: room.last }),
      },
    ];
  }

  ran(rows: Ran): void {
    this.#text.used = rows.position + rows.n;
    this.#mass.add(rows, (layer) => this.#isGlobal(layer));
    for (const [layer, { queue }] of this.#chosen.entries()) this.#text.queues[layer] = queue;
    this.#keys?.leave();
  }

  async settle({ cache, position, n, losses }: Read): Promise<void> {
    const text = this.#text;
    const length = position + n;
    while (text.losses.length < length) text.losses.push(Number.NaN);
    const from = position + 1;
    for (const [i, loss] of losses.entries()) {
      text.losses[from + i] = loss;
      if (!Number.isNaN(loss)) text.scored++;
    }
    if (losses.some((loss) => !Number.isNaN(loss))) await this.#cut(from, length);
    await this.#close(length);
    await this.#keysOf().settle(text.closed);
    cache.trim(length);
    cache.setExactFrom(length);
  }

  inspect(): Memory {
    const { used, closed, starts, surprises, scored } = this.#text;
    const ranges = (events: readonly number[]) => events.map((event) => this.#event(event));
    return {
      tokens: used,
      events: starts.map((_, event) => this.#event(event)),
      closed,
      surprises,
      scoredTokens: scored,
      recalled: this.#chosen.map(({ events, queue }) => ({ similar: ranges(events), neighbours: ranges(queue) })),
      vectorBytes: this.#vectors.bytes,
      ...(this.#memory?.blocks.counts ?? { memoryBytes: 0, fileBytes: 0, fetched: 0 }),
    };
  }

  save(): Saved {
    const keys = this.#keysOf();
    const { losses, ...text } = this.#text;
    const tail = Math.max(0, losses.length - this.#settings.local - this.#settings.chunk);
    const [vectors, mass] = [this.#vectors, this.#mass];
    const layers = this.#host.arch.layers.length;
    return {
      state: {
        ...text,
        losses: losses.slice(tail).map((loss) => (Number.isNaN(loss) ? null : loss)),
        firstLoss: tail,
        format: keys.format,
        rotation: this.#rotation(),
        pages: keys.blockCount,
        vectors: vectors.slabCount,
      },
      count: layers + vectors.slabCount + keys.blockCount,
      async *blocks() {
        yield* mass.export();
        yield* vectors.export();
        yield* keys.export();
      },
    };
  }

  async restore(saved: unknown, cache: KvCache, next: () => Promise<Uint8Array>): Promise<void> {
    const read = savedState.safeParse(saved);
    if (!read.success) throw new RangeError('what was remembered cannot be read');
    const state = read.data;
    this.#open(cache);
    const keys = this.#keysOf();
    if (state.format !== keys.format)
      throw new RangeError(`what was remembered is in ${state.format}, not ${keys.format}`);
    if (state.rotation !== this.#rotation()) throw new RangeError('what was remembered was rotated otherwise');
    const { losses, firstLoss, pages, vectors } = state;
    this.#text = {
      ...{ used: state.used, closed: state.closed, cuts: state.cuts, starts: state.starts },
      ...{ surprises: state.surprises, scored: state.scored },
      queues: state.queues,
      losses: [...new Array<number>(firstLoss).fill(Number.NaN), ...losses.map((loss) => loss ?? Number.NaN)],
    };
    for (const layer of this.#host.arch.layers.keys()) this.#mass.import(layer, await next());
    for (let i = 0; i < vectors; i++) this.#vectors.import(await next(), state.starts.length);
    for (let i = 0; i < pages; i++) await keys.import(await next(), state.closed);
  }

  fork(): Remembering {
    const fork = new EpisodicMemory(this.#host, this.#settings);
    fork.#memory = this.#memory;
    if (this.#memory) this.#memory.users++;
    fork.#keys = this.#keys?.fork();
    fork.#vectors = this.#vectors.fork();
    fork.#mass = this.#mass.fork();
    const { losses, cuts, starts, queues, ...rest } = this.#text;
    fork.#text = { ...rest, losses: [...losses], cuts: [...cuts], starts: [...starts], queues: [...queues] };
    return fork;
  }

  close(): void {
    this.#drop();
    if (this.#room) this.#host.device.free(this.#room.address);
    this.#fetched.close();
    this.#room = undefined;
  }

  /** Which events the rows at hand read in a layer, besides the neighbours of them. */
  #choose(layer: number, n: number): { readonly events: readonly number[]; readonly queue: readonly number[] } {
    const { min, contiguity, choose } = this.#settings;
    const count = this.#text.starts.length;
    if (this.#hasRoomForAll(n)) return { events: [...this.#text.starts.keys()], queue: [] };
    const budget = this.#budget(n);
    const forNeighbours = contiguity * budget;
    const most = Math.ceil((budget - forNeighbours) / min) + 1;
    const scores = choose === 'similar' ? this.#vectors.scores : drawn(count, layer, this.#text.used);
    const sizes = this.#sizes();
    const events = withinBudget(highest(scores, most), sizes, budget - forNeighbours);
    return { events, queue: neighbours(events, this.#text.queues[layer] ?? [], sizes, count, forNeighbours) };
  }

  /** Tokens of events that n rows may read. */
  #budget(n: number): number {
    const { mem, local } = this.#settings;
    const { used, closed } = this.#text;
    return mem === 0 ? 0 : Math.max(0, mem + n - Math.max(0, used + n - local - closed));
  }

  #hasRoomForAll(n: number): boolean {
    return this.#text.closed - (this.#text.starts[0] ?? this.#text.closed) <= this.#budget(n);
  }

  #event(event: number): Range {
    const { starts, closed } = this.#text;
    return { start: starts[event] ?? closed, end: starts[event + 1] ?? closed };
  }

  #sizes(): Int32Array {
    return Int32Array.from(this.#text.starts, (start, event) => this.#event(event).end - start);
  }

  /** Decides where to cut the tokens [from, length], whose losses are known by now. */
  async #cut(from: number, length: number): Promise<void> {
    const { gamma, local, chunk, init, official, refine, min, max } = this.#settings;
    const text = this.#text;
    const first = refine === 'off' ? init : chunk;
    const found = surprising(text.losses, from, { gamma, local, chunk, first });
    const cuts = found.map((token) => (official === 'yes' ? token - 1 : token));
    text.surprises += cuts.length;
    const last = () => text.cuts.at(-1) ?? text.closed;
    const fresh = cuts.filter((cut) => cut > last());
    const [earliest] = fresh;
    if (refine === 'off' || earliest === undefined) {
      text.cuts.push(...fresh);
      return;
    }
    // Windows reach back as far as this at most, and not into what is closed.
    const reach = 2 * max;
    const start = Math.max(text.closed, earliest - Math.ceil(1.5 * reach) - 1);
    const layers = [...this.#host.arch.layers.keys()].filter(
      (layer) => this.#isGlobal(layer) && layer >= Math.min(this.#settings.layers, this.#host.arch.layers.length - 1),
    );
    const keys = await this.#fetch({ start, end: length }, layers);
    const { kvHeads: g, headSize: d } = this.#host.arch;
    const width = layers.length * g * d;
    const rows = (a: number, b: number) => {
      const values = new Float32Array((b - a) * width);
      for (let token = a; token < b; token++) {
        for (let i = 0; i < layers.length * g; i++) values.set(keys(i, token), (token - a) * width + i * d);
      }
      return { count: b - a, width, values };
    };
    for (const cut of fresh) {
      const predecessor = Math.max(last(), cut - reach);
      const moved =
        cut >= length ? cut : refined(cut, predecessor, { measure: refine, min, first: start, end: length, rows });
      if (moved > last()) text.cuts.push(moved);
    }
  }

  /** Closes the events that have left the window. */
  async #close(length: number): Promise<void> {
    const text = this.#text;
    const { local, min, max, tokens } = this.#settings;
    const events = closeEvents(text.closed, length - local, text.cuts, min, max);
    const [first, last] = [events[0], events.at(-1)];
    if (!first || !last) return;
    const { layers, heads: h, kvHeads: g, headSize: d } = this.#host.arch;
    const keys = await this.#fetch(
      { start: first.start, end: last.end },
      [...layers.keys()].filter((one) => this.#isGlobal(one)),
    );
    let place = 0;
    const placeOf = layers.map((_, layer) => (this.#isGlobal(layer) ? place++ : -1));
    for (const { start, end } of events) {
      this.#vectors.push((layer) => {
        const vector = new Float32Array(h * d);
        const at = placeOf[layer] ?? -1;
        if (at < 0) return vector;
        for (let head = 0; head < h; head++) {
          const mass = Float32Array.from({ length: end - start }, (_, i) => this.#mass.of(layer, head, start + i));
          const chosen = highest(mass, tokens);
          for (const i of chosen) {
            const key = keys(at * g + Math.floor((head * g) / h), start + i);
            for (let c = 0; c < d; c++)
              vector[head * d + c] = (vector[head * d + c] ?? 0) + (key[c] ?? 0) / chosen.length;
          }
        }
        return vector;
      });
      text.starts.push(start);
      text.closed = end;
    }
    text.cuts = text.cuts.filter((cut) => cut > text.closed);
  }

  /** Unrotated keys of some tokens, by (layer, head) in their order and token, as the store holds them. */
  async #fetch(range: Range, layers: readonly number[]): Promise<(at: number, token: number) => Float32Array> {
    const { device, arch } = this.#host;
    const { kvHeads: g, headSize: d } = arch;
    const store = this.#keysOf();
    const count = range.end - range.start;
    const keyFloats = layers.length * g * count * d;
    const address = this.#fetched.reserve(4 * (keyFloats + count * d + 2 * count));
    // Nobody wants values and positions: they are written to one place by all.
    const values = address + 4 * keyFloats;
    const slots = values + 4 * count * d;
    device.ints(slots, count).set(Int32Array.from({ length: count }, (_, i) => range.start + i));
    try {
      await store.read(range, layers, (head, i, join) =>
        fetch({
          ...{ head, slots, count, d, format: store.format, values, positions: slots + 4 * count, join },
          keys: address + 4 * i * count * d,
        }),
      );
    } finally {
      store.leave();
    }
    return (at, token) => device.floats(address + 4 * (at * count + token - range.start) * d, d);
  }

  /** Tables and numbers of the rows of a program that begins. */
  #prepare(view: LayerView): void {
    const { device, arch } = this.#host;
    const { n } = view;
    const { local } = this.#settings;
    const { used } = this.#text;
    const [position] = device.ints(view.positions, 1);
    if (position !== used) throw new RangeError(`${used} tokens are remembered, and the next is at ${position}`);
    const keys = this.#keysOf();
    keys.leave();
    keys.reserve(used, n);
    this.#chosen = [];
    this.#mass.begin(view, view.slots);
    const room = this.#places(n);
    device.ints(room.numbers, n).set(Int32Array.from({ length: n }, (_, i) => i));
    device.ints(room.shown, n).set(Int32Array.from({ length: n }, (_, i) => used + i + local));
    device.ints(room.last, n).fill(used + n - 1);
    const pairs = arch.rotated / 2;
    for (const [i, { frequencies }] of this.#rotations.entries()) {
      for (const which of ['queries', 'keys'] as const) {
        const to = which === 'queries' ? local - 1 : 0;
        ropeTables(
          device.floats(room.table(i, which, 'cos'), n * pairs),
          device.floats(room.table(i, which, 'sin'), n * pairs),
          Int32Array.from({ length: n }, (_, row) => to - (used + row)),
          frequencies,
        );
      }
    }
  }

  /** Where queries, keys and tables of a program's rows lie. */
  #places(n: number) {
    const { heads: h, kvHeads: g, headSize: d, rotated } = this.#host.arch;
    const widths = { queries: h * d, keys: g * d, numbers: 1, shown: 1, last: 1 };
    const tables = 4 * this.#rotations.length;
    const floats = Object.values(widths).reduce((sum, one) => sum + one, 0) + (tables * rotated) / 2;
    if (!this.#room || this.#room.rows < n) {
      if (this.#room) this.#host.device.free(this.#room.address);
      this.#room = { address: this.#host.device.allocate(4 * n * floats), rows: n };
    }
    const { address, rows } = this.#room;
    let at = address;
    const place = (width: number) => {
      const here = at;
      at += 4 * rows * width;
      return here;
    };
    const [queries, keys] = [place(widths.queries), place(widths.keys)];
    const [numbers, shown, last] = [place(1), place(1), place(1)];
    const first = at;
    const table = (rotation: number, which: 'queries' | 'keys', of: 'cos' | 'sin') =>
      first + 2 * rows * rotated * (4 * rotation + (which === 'keys' ? 2 : 0) + (of === 'sin' ? 1 : 0));
    return { queries, keys, numbers, shown, last, table };
  }

  #isGlobal(layer: number): boolean {
    return this.#host.arch.layers[layer]?.window === 0;
  }

  #firstLayer(): number {
    return this.#host.arch.layers.findIndex(({ window }) => window === 0);
  }

  /** Tells rotations apart: keys that were unrotated by one are not to be compared under another. */
  #rotation(): string {
    return this.#rotations
      .map(({ frequencies }) => Array.from(frequencies, (one) => one.toPrecision(12)).join(' '))
      .join('; ');
  }

  #keysOf(): Unrotated {
    if (!this.#keys) throw new RangeError('nothing has begun yet');
    return this.#keys;
  }

  #open(cache: KvCache): void {
    const { format } = cache.pool;
    const capacity = Math.ceil(this.#settings.fast / 32) * this.#host.arch.layers.length;
    const blocks = new Blocks(this.#host, format, capacity);
    this.#memory = { blocks, users: 1 };
    this.#keys = new Unrotated(this.#host, blocks, format);
  }

  #drop(): void {
    this.#keys?.close();
    this.#keys = undefined;
    this.#vectors.close();
    this.#mass.close();
    if (this.#memory && --this.#memory.users === 0) void this.#memory.blocks.close();
    this.#memory = undefined;
  }
}

const numbers = z.array(z.int());
const savedState = z.object({
  ...{
    used: z.int(),
    closed: z.int(),
    surprises: z.int(),
    scored: z.int(),
    firstLoss: z.int(),
    pages: z.int(),
    vectors: z.int(),
  },
  ...{ cuts: numbers, starts: numbers, queues: z.array(numbers), losses: z.array(z.number().nullable()) },
  ...{ format: z.string(), rotation: z.string() },
});

function newText({ init }: Settings, layers: number): Text {
  return {
    ...{ used: 0, closed: init, losses: [], cuts: [], starts: [], surprises: 0, scored: 0 },
    queues: Array.from({ length: layers }, () => []),
  };
}

/** Tokens whose attention is counted: all that are in the cache, and those that no event has taken yet. */
function massWindow({ local, chunk, max }: Settings): number {
  return local + 2 * chunk + 4 * max + 128;
}

/** Numbers by chance: the same for the same layer and place in the text. */
function drawn(count: number, layer: number, used: number): Float64Array {
  const random = new Random(`em-llm ${layer} ${used}`);
  return Float64Array.from({ length: count }, () => random.real());
}
