import type { Encoder } from '@loci/device';
import { boundBytes, boundLists, boundRoom, pageBounds, pageSlots } from '@loci/kernels';
import type { Attend, Attending, Host, LayerView, Selection } from 'loci';
import { z } from 'zod';
import { ListBuffer } from '../attending/list-buffer.ts';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';
import { Room } from '../methods/room.ts';

/**
 * Tang et al. 2024, Quest: Query-Aware Sparsity for Efficient Long-Context LLM Inference, arXiv 2406.10774: of every page
 * the least and the greatest number of each channel of its keys are known, which bound its products with a query; an answer
 * reads the pages whose bound is highest. Prompts are read with everything. Pages are those of the cache, 32 slots; the
 * paper's are 16.
 */
export const quest = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'quest',
  summary: 'while answering, the pages whose keys may have the largest products with a query',
  options: z.object(options()),
  create: (given, base) => ({ ...base, needs: {}, open: (host) => new Quest(host, given) }),
});

function options() {
  return {
    budget: whole(1, 1_000_000, 1024, `keys that every head reads at most, in whole pages of ${pageSlots}`),
    dense: whole(0, 1000, 2, 'first layers that read everything'),
  };
}

type Options = z.output<z.ZodObject<ReturnType<typeof options>>>;

class Quest implements Attending {
  readonly #host: Host;
  readonly #options: Options;
  readonly #bounds: readonly Bounds[];
  readonly #lists: ListBuffer;
  readonly #room: Room;

  constructor(host: Host, options: Options) {
    this.#host = host;
    this.#options = options;
    this.#bounds = host.arch.layers.map(() => new Bounds(host));
    this.#lists = new ListBuffer(host.device);
    this.#room = new Room(host.device);
  }

  select(encoder: Encoder, view: LayerView): Selection | undefined {
    const { layer, n, slots, queries, heads, counts, moment } = view;
    const { heads: h, kvHeads: g, headSize: d } = this.#host.arch;
    const known = this.#bounds[layer];
    if (!known) throw new RangeError(`there is no layer ${layer}`);
    known.notice(view);
    const most = Math.ceil(this.#options.budget / pageSlots);
    const isWhole = Math.ceil(slots / pageSlots) <= most;
    if (moment !== 'decode' || layer < this.#options.dense || view.window > 0 || isWhole) return undefined;
    const bounds = known.record(encoder, view);
    const lists = this.#lists.reserve(1, { blocks: n, heads: h, capacity: most });
    const room = this.#room.reserve(boundRoom({ n, h, slots }));
    encoder.record(boundLists({ queries, n, h, g, d, heads, bounds, slots, lists, room, counts }));
    return { lists };
  }

  ran(): void {
    for (const known of this.#bounds) known.ran();
  }

  fork(): Attending {
    return new Quest(this.#host, this.#options);
  }

  close(): void {
    for (const known of this.#bounds) known.close();
    this.#lists.close();
    this.#room.close();
  }
}

/** Bounds of a layer's pages, found when they are first asked for, and kept as long as the cache only grows. */
class Bounds {
  readonly #host: Host;
  readonly #room: Room;
  #pages = 0;
  #edition = 0;
  /** Of every head, the slots that the bounds take in; and those that they will when the program has run. */
  #known: readonly number[];
  #next: readonly number[] | undefined;

  constructor(host: Host) {
    this.#host = host;
    this.#room = new Room(host.device);
    this.#known = Array.from({ length: host.arch.kvHeads }, () => 0);
  }

  /** Notices that keys went missing, or were cut off. */
  notice({ cache, layer }: LayerView): void {
    const isSame = cache.edition === this.#edition;
    this.#edition = cache.edition;
    this.#known = this.#known.map((slots, head) => (isSame ? Math.min(slots, cache.usedOf(layer, head)) : 0));
    this.#next = undefined;
  }

  /** Records what is missing of the bounds, rows at hand included, and returns their address. */
  record(encoder: Encoder, { cache, layer, heads, format, n, slots }: LayerView): number {
    const { kvHeads: g, headSize: d } = this.#host.arch;
    const end = Math.ceil(slots / pageSlots);
    if (end > this.#pages) {
      this.#pages = 2 * end;
      this.#known = this.#known.map(() => 0);
    }
    const bounds = this.#room.reserve(this.#pages * boundBytes(g, d));
    const first = Math.floor(Math.min(...this.#known) / pageSlots);
    encoder.record(pageBounds({ heads, g, d, format, appended: n, first, end, bounds }));
    this.#next = this.#known.map((_, head) => cache.usedOf(layer, head) + n);
    return bounds;
  }

  ran(): void {
    this.#known = this.#next ?? this.#known;
    this.#next = undefined;
  }

  close(): void {
    this.#room.close();
  }
}
