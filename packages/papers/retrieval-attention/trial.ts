import { Encoder } from '@loci/device';
import {
  type Graph,
  graphLink,
  graphLinkWork,
  graphNearest,
  graphRows,
  graphSearch,
  graphSearchWork,
  headWords,
  linkBytes,
  listWords,
  pageSlots,
} from '@loci/kernels';
import type { Host } from 'loci';

/** What a graph over the keys of one head is made with. */
export interface Making {
  /** The keys [count, d], and how long the longest is. */
  readonly keys: Float32Array;
  /** Training queries [n, d], and how many keys each sees: all by default. */
  readonly queries: Float32Array;
  readonly limits?: Int32Array;
  /** Whether the queries are the keys themselves, each of which is its own pivot. */
  readonly ofKeys?: boolean;
  readonly neighbours: number;
  readonly degree: number;
  readonly build: number;
}

export interface Searched {
  /** Keys found for every query. */
  readonly found: readonly (readonly number[])[];
  /** Keys scored for every query, on average. */
  readonly scans: number;
}

/** A graph over the keys of one head, or none, as the method has it: to be asked by itself. */
export class Trial {
  readonly #host: Host;
  readonly #graph: Graph;
  readonly #count: number;
  readonly #addresses: readonly number[];

  private constructor(host: Host, graph: Graph, count: number, addresses: readonly number[]) {
    this.#host = host;
    this.#graph = graph;
    this.#count = count;
    this.#addresses = addresses;
  }

  /** Graphs over the keys of heads, linked side by side. */
  static async make(host: Host, makings: readonly Making[], signal?: AbortSignal): Promise<Trial[]> {
    const { device, arch } = host;
    const d = arch.headSize;
    const spare: number[] = [];
    const take = (bytes: number) => device.allocate(Math.max(64, bytes));
    const once = (bytes: number) => {
      const address = take(bytes);
      spare.push(address);
      return address;
    };
    const floats = (values: Float32Array) => {
      const address = once(4 * values.length);
      device.floats(address, values.length).set(values);
      return address;
    };
    try {
      const [rounding, nearing, linking] = [new Encoder(), new Encoder(), new Encoder()];
      const made = makings.map(({ keys, queries, limits, neighbours, degree, build }) => {
        const room = keys.length / d;
        const places = queries.length / d;
        const capacity = 3 * degree;
        const [rows, links] = [take(2 * room * d), take(linkBytes({ room, capacity }))];
        const words = take(12);
        device.ints(words, 3).set([room, 0, 0]);
        const graph = { h: 1, g: 1, d, room, capacity, rows, links, counts: words, starts: words + 4 };
        const asked = once(2 * places * d);
        const norm = longest(keys, d);
        rounding.record(
          graphRows({ x: floats(keys), n: room, heads: 1, d, out: rows, room, first: 0, norm, join: false }),
        );
        rounding.record(
          graphRows({ x: floats(queries), n: places, heads: 1, d, out: asked, room: places, first: 0, norm: 0 }),
        );
        const seen = once(4 * places);
        device.ints(seen, places).set(limits ?? new Int32Array(places).fill(room));
        const found = {
          queries: asked,
          count: places,
          places,
          limits: seen,
          nearest: once(8 * places * neighbours),
          neighbours,
        };
        nearing.record(graphNearest(graph, found, false));
        const call = { degree, pool: build, from: words + 8, queries: found };
        linking.record(graphLink(graph, { ...call, work: once(graphLinkWork(graph, call)) }, false));
        return { trial: new Trial(host, graph, room, [rows, links, words]), found };
      });
      await device.run(rounding, signal);
      await device.run(nearing, signal);
      for (const [i, { found }] of made.entries()) {
        if (makings[i]?.ofKeys) ownPivots(host, found.nearest, found.places, found.neighbours);
      }
      await device.run(linking, signal);
      return made.map(({ trial }) => trial);
    } finally {
      for (const address of spare) device.free(address);
    }
  }

  /** What searches for queries [n, d] find; an exact scan of all keys on request. */
  async search(queries: Float32Array, k: number, pool: number, isExact = false): Promise<Searched> {
    const { device } = this.#host;
    const { d } = this.#graph;
    const n = queries.length / d;
    const slots = this.#count;
    const capacity = Math.ceil((slots + n) / pageSlots);
    const spare: number[] = [];
    const take = (bytes: number) => {
      const address = device.allocate(Math.max(64, bytes));
      spare.push(address);
      return address;
    };
    try {
      const lists = { address: take(4 * n * listWords(capacity)), rows: 1, heads: 1, capacity };
      const [asked, counts, heads] = [take(4 * queries.length), take(24), take(32)];
      device.floats(asked, queries.length).set(queries);
      device.ints(counts, 6).fill(0);
      device.ints(heads, 8).set(headWords({ table: 0, used: slots }));
      const graph = isExact ? { ...this.#graph, links: 0 } : this.#graph;
      const call = { queries: asked, n, k, pool: Math.max(pool, k), heads, first: 0, slots: slots + n, lists, counts };
      const encoder = new Encoder();
      encoder.record(graphSearch(graph, { ...call, work: take(graphSearchWork(graph, call)) }));
      await device.run(encoder);
      const found = Array.from({ length: n }, (_, row) => {
        const list = device.ints(lists.address + 4 * row * listWords(capacity), listWords(capacity));
        const keys: number[] = [];
        for (let i = 0; i < (list[0] ?? 0); i++) {
          const [page = 0, set = 0] = list.subarray(1 + 2 * i, 3 + 2 * i);
          for (let s = 0; s < pageSlots; s++) if ((set >>> s) & 1) keys.push(page * pageSlots + s);
        }
        // Slots behind the keys, of which there are none, are in every list.
        return keys.filter((key) => key < slots);
      });
      return { found, scans: (device.ints(counts, 6)[4] ?? 0) / n };
    } finally {
      for (const address of spare) device.free(address);
    }
  }

  /** Share of the keys that a walk can get to from where it begins. */
  get reachable(): number {
    const { room, capacity, links, starts } = this.#graph;
    const { device } = this.#host;
    const bytes = device.bytes(links, linkBytes(this.#graph));
    const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    const [start = 0] = device.ints(starts, 1);
    const seen = new Set([start]);
    for (const key of seen) {
      const at = key * (capacity + 1);
      for (const next of words.subarray(at + 1, at + 1 + (words[at] ?? 0))) seen.add(next);
    }
    return seen.size / room;
  }

  close(): void {
    for (const address of this.#addresses) this.#host.device.free(address);
  }
}

/** Of keys that were searched for as queries makes each the pivot of its own nearest ones. */
function ownPivots({ device }: Host, address: number, count: number, neighbours: number): void {
  const bytes = device.bytes(address, 8 * count * neighbours);
  const ranks = new BigUint64Array(bytes.buffer, bytes.byteOffset, count * neighbours);
  for (let key = 0; key < count; key++) {
    const own = ranks.subarray(key * neighbours, (key + 1) * neighbours);
    const rank = BigInt(0x7fffffff - key) << 1n;
    const at = own.findIndex((other) => (other & 0xffffffffn) === rank);
    // Where the key is not among its own nearest it takes the place of the first, which it is linked to all the same by others.
    const first = own[0] ?? 0n;
    own[0] = at < 0 ? (1n << 63n) | rank : (own[at] ?? 0n);
    if (at > 0) own[at] = first;
  }
}

/** Length of the longest of some rows [n, d]. */
export function longest(rows: Float32Array, d: number): number {
  let most = 0;
  for (let at = 0; at < rows.length; at += d) {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += (rows[at + c] ?? 0) ** 2;
    if (!(sum <= most)) most = sum;
  }
  return Math.sqrt(most);
}

/** Of exact results, how many are found on average. */
export function recallOf(found: Searched, exact: Searched): number {
  const shares = exact.found.map((wanted, i) => {
    const own = new Set(found.found[i]);
    return wanted.filter((key) => own.has(key)).length / Math.max(1, wanted.length);
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
