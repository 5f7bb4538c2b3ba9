import type { Encoder } from '@loci/device';
import { pageSlots, slashLists, slashRoom, weigh, weighStride } from '@loci/kernels';
import type { Attend, Attending, Host, LayerView, Selection } from 'loci';
import { z } from 'zod';
import { ListBuffer } from '../attending/list-buffer.ts';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';
import { Room } from '../methods/room.ts';

/**
 * Jiang et al. 2024, MInference 1.0: Accelerating Pre-filling for Long-Context LLMs via Dynamic Sparse Attention, arXiv
 * 2407.02490, its vertical-slash pattern for every head: the last queries tell which keys (columns) and which distances
 * (diagonals) most attention is paid to, and prompts are read along these; answers read everything. The paper reads a
 * prompt at once and chooses once; here every program of rows chooses by its own last queries. It reads columns of single
 * keys; here pages are what is read, so that a column is one of them unless told otherwise.
 */
export const verticalSlash = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'vertical-slash',
  summary: 'while a prompt is read, the keys and the distances that its last queries attend to most',
  options: z.object(options()),
  create: (given, base) => ({ ...base, needs: {}, open: (host) => new VerticalSlash(host, given) }),
});

function options() {
  return {
    vertical: whole(0, 1_000_000, 512, 'keys in the columns that are read'),
    slash: whole(0, 1_000_000, 256, 'diagonals that are read'),
    column: whole(1, 1024, pageSlots, 'keys of a column'),
    sample: whole(1, 512, 64, 'last queries by which columns and diagonals are chosen'),
    rows: whole(1, 512, 64, 'queries that share a list'),
    sinks: whole(0, 1_000_000, 30, 'first keys that are always read'),
    nearest: whole(1, 1_000_000, 100, 'diagonals that are always read, the query’s own included'),
  };
}

type Options = z.output<z.ZodObject<ReturnType<typeof options>>>;

class VerticalSlash implements Attending {
  readonly #host: Host;
  readonly #options: Options;
  readonly #lists: ListBuffer;
  readonly #weights: Room;
  readonly #room: Room;

  constructor(host: Host, options: Options) {
    this.#host = host;
    this.#options = options;
    this.#lists = new ListBuffer(host.device);
    this.#weights = new Room(host.device);
    this.#room = new Room(host.device);
  }

  select(encoder: Encoder, view: LayerView): Selection | undefined {
    const { vertical, slash, column, sample, rows, sinks, nearest } = this.#options;
    const { n, slots, heads, counts } = view;
    const isWhole = slots <= vertical + slash + sinks + nearest;
    if (view.moment === 'decode' || view.window > 0 || isWhole) return undefined;
    const { heads: h, kvHeads: g, headSize: d } = this.#host.arch;
    const sampled = Math.min(sample, n);
    const stride = weighStride(slots);
    const states = this.#weights.reserve(4 * sampled * h * (2 + stride));
    const weights = states + 8 * sampled * h;
    const last = {
      ...{ ...view, n: sampled, appended: n, h, g, d, states, out: weights, stride, rows: 'each' as const },
      queries: view.queries + 4 * (n - sampled) * h * d,
      positions: view.positions + 4 * (n - sampled),
    };
    for (const one of weigh(last)) encoder.record(one);
    const capacity = Math.ceil(slots / pageSlots);
    const lists = this.#lists.reserve(rows, { blocks: Math.ceil(n / rows), heads: h, capacity });
    const what = { columns: Math.ceil(vertical / column), width: column, diagonals: slash, sinks, nearest };
    const room = this.#room.reserve(slashRoom({ ...what, h, slots }));
    encoder.record(slashLists({ ...what, weights, sampled, stride, h, g, heads, n, slots, lists, room, counts }));
    return { lists };
  }

  fork(): Attending {
    return new VerticalSlash(this.#host, this.#options);
  }

  close(): void {
    this.#lists.close();
    this.#weights.close();
    this.#room.close();
  }
}
