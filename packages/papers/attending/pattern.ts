import { pageSlots } from '@loci/kernels';
import type { Attend, Attending, Host, LayerView, Selection } from 'loci';
import { ListBuffer, type Listed } from './list-buffer.ts';

/** Which keys a query reads by where both stand, whatever they are. */
export interface Pattern {
  /** Queries at positions of one block of so many read the same keys. */
  readonly block: number;
  /** Whether layers differ. */
  readonly perLayer?: boolean;
  /**
   * Whether the queries of a block, which is at `query` divided by `block`, read the key at position `key`. Keys that are
   * ahead of a query are never read.
   */
  reads(query: number, key: number, kvHead: number, layer: number): boolean;
}

/** The attend method of a pattern, which may depend on the model. */
export function attendPattern(
  base: Pick<Attend, 'axis' | 'name' | 'spec'>,
  pattern: Pattern | ((host: Host) => Pattern),
): Attend {
  const of = typeof pattern === 'function' ? pattern : () => pattern;
  return { ...base, needs: {}, open: (host) => new Patterned(host, of(host)) };
}

class Patterned implements Attending {
  readonly #host: Host;
  readonly #pattern: Pattern;
  /** One per layer where layers differ or hold different slots; else the first is for all. */
  readonly #lists: ListBuffer[] = [];
  #shared: { readonly key: string; readonly selection: Selection } | undefined;

  constructor(host: Host, pattern: Pattern) {
    this.#host = host;
    this.#pattern = pattern;
  }

  select(_: unknown, view: LayerView): Selection {
    const { perLayer = false } = this.#pattern;
    const isWhole = view.cache.exactFrom === 0;
    if (perLayer || !isWhole) return this.#write(view, view.layer);
    // Where nothing was dropped slots are positions, in every layer and head.
    const key = `${view.slots} ${view.n}`;
    if (view.layer === 0 || this.#shared?.key !== key) this.#shared = { key, selection: this.#write(view, 0) };
    return this.#shared.selection;
  }

  #write(view: LayerView, index: number): Selection {
    const { n, cache, layer, slots: most } = view;
    const { block } = this.#pattern;
    this.#lists[index] ??= new ListBuffer(this.#host.device);
    const buffer = this.#lists[index];
    const positions = this.#host.device.ints(view.positions, n);
    const start = positions[0] ?? 0;
    // Blocks of positions are blocks of rows where the chunk begins with one.
    const rows = start % block === 0 ? block : 1;
    const blocks = Math.ceil(n / rows);
    const heads = this.#host.arch.kvHeads;
    const lists = buffer.reserve(rows, { blocks, heads, capacity: Math.ceil(most / pageSlots) });
    for (let head = 0; head < heads; head++) {
      const used = cache.usedOf(layer, head);
      const held = cache.exactFrom === 0 ? undefined : cache.positions(layer, head);
      const positionOf = (slot: number) => (slot < used ? (held?.[slot] ?? slot) : (positions[slot - used] ?? 0));
      for (let at = 0; at < blocks; at++) {
        const first = start + at * rows;
        const last = start + Math.min(n, (at + 1) * rows) - 1;
        buffer.write(lists, at, head, this.#list(first, last, used + n, head, layer, positionOf));
      }
    }
    return { lists };
  }

  /** The pages and slots that queries from `first` to `last` read. */
  #list(
    first: number,
    last: number,
    slots: number,
    head: number,
    layer: number,
    positionOf: (slot: number) => number,
  ): Listed[] {
    const list: Listed[] = [];
    for (let page = 0; page * pageSlots < slots; page++) {
      let set = 0;
      for (let s = 0; s < pageSlots && page * pageSlots + s < slots; s++) {
        const key = positionOf(page * pageSlots + s);
        if (key <= last && this.#pattern.reads(first, key, head, layer)) set |= 1 << s;
      }
      if (set !== 0) list.push({ page, slots: set });
    }
    return list;
  }

  fork(): Attending {
    return new Patterned(this.#host, this.#pattern);
  }

  close(): void {
    for (const lists of this.#lists) lists?.close();
  }
}
