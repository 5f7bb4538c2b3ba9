import type { Encoder } from '@loci/device';
import { attendScratch, type BlockLists, descend, descendScratch, listCapacity, representatives } from '@loci/kernels';
import {
  type Attend,
  type Attending,
  type Host,
  type LayerView,
  LociError,
  type ModelFacts,
  type Saved,
  type Selection,
} from 'loci';
import { z } from 'zod';
import { ListBuffer } from '../attending/list-buffer.ts';
import { define } from '../methods/define.ts';
import { choice, whole } from '../methods/option.ts';

type Options = z.output<z.ZodObject<ReturnType<typeof options>>>;

/**
 * Lee et al. 2024, HiP Attention, arXiv 2406.09827: exact attention over about k keys for each block of queries, which a
 * search finds that halves stretches of keys. Sinks and a window are read beside them, and never searched.
 */
export const hipAttention = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'hip',
  summary: 'the k keys per block of queries that a halving search finds, sinks and a window',
  options: z.object(options()),
  create(given, base) {
    check(given);
    return {
      ...base,
      needs: { refuses: (model) => tooLarge(given, model) },
      open: (host) => new Hip(host, given),
    };
  },
});

function options() {
  return {
    k: whole(1, 1_000_000, 512, 'keys that are found for each block of queries'),
    block: whole(1, 1024, 32, 'keys that are found together, a power of two; 32 are a page'),
    'key-stride': whole(1, 1024, 1, 'every which key of a block is scored'),
    rows: whole(1, 512, 64, 'queries that share a search'),
    'row-stride': whole(1, 512, 8, 'every which of these queries searches; of fewer, as many do'),
    sinks: whole(0, 1_000_000, 4, 'first tokens that are always read'),
    window: whole(1, 1_000_000, 64, 'tokens before and with a query that it always reads'),
    dense: whole(0, 1000, 3, 'first layers that read everything'),
    refresh: whole(1, 1000, 8, 'tokens of an answer after which the search is made anew'),
    beam: whole(1, 1000, 4, 'stretches that a search for fewer queries goes on with, for each block that it finds'),
    share: choice(
      ['head', 'group'],
      'head',
      'whether every query head searches, or those of a key/value head together',
    ),
    stands: choice(representatives, 'centre', 'which block of a stretch stands for it'),
    sparse: choice(['both', 'prefill', 'decode'], 'both', 'where less than everything is read'),
    end: choice(
      ['sparse', 'dense'],
      'sparse',
      'how the last rows of a prompt read, up to 512: there a question stands',
    ),
  };
}

function check({ k, block, rows, 'row-stride': rowStride }: Options): void {
  const refuse = (what: string) => {
    throw new LociError('bad-option', `--attend hip: ${what}`);
  };
  if ((block & (block - 1)) !== 0) refuse(`block is ${block}; it must be a power of two`);
  if (k % block !== 0) refuse(`k is ${k}; it must be a multiple of block, which is ${block}`);
  if (rows < rowStride) refuse(`row-stride is ${rowStride}; it must be at most rows, which is ${rows}`);
}

/**
 * What the kernel is told of a search for so many rows. Where they are fewer than share one, as in an answer, no other row
 * finds what one misses: all search that may, in a wider beam.
 */
function searchOf(options: Options, n: number) {
  const { rows, 'row-stride': rowStride } = options;
  return {
    chunks: options.k / options.block,
    beam: n < rows ? options.beam : 1,
    block: options.block,
    keyStride: options['key-stride'],
    queryStride: Math.ceil((Math.min(n, rows) * rowStride) / rows),
    sinks: options.sinks,
    window: options.window,
    representative: options.stands,
  };
}

/** Query heads of a list. */
function sharing({ share }: Options, { arch }: ModelFacts): number {
  return share === 'group' ? arch.heads / arch.kvHeads : 1;
}

function tooLarge(options: Options, model: ModelFacts): string | undefined {
  const { heads, kvHeads, headSize: d } = model.arch;
  const room = attendScratch(heads, kvHeads, d);
  const most = { ...searchOf(options, options.rows), beam: options.beam };
  const needed = descendScratch(most, { rows: options.rows, heads: sharing(options, model), d });
  if (needed <= room) return undefined;
  return `its search needs ${needed} bytes a thread, and there are ${room}: ask for fewer blocks (k / block), queries (rows / row-stride) or a smaller beam`;
}

/** The lists of a layer that were made for a single row, and how long they hold. */
interface Searched {
  readonly lists: BlockLists;
  /** The most slots of a head when the search was made, and when its lists were last used. */
  readonly since: number;
  last: number;
  /** Undefined: that of the next row. */
  edition: number | undefined;
}

const savedSchema = z.array(
  z.object({
    layer: z.int(),
    since: z.int(),
    last: z.int(),
    rows: z.int(),
    heads: z.int(),
    capacity: z.int(),
    words: z.array(z.int()),
  }),
);

class Hip implements Attending {
  readonly #host: Host;
  readonly #options: Options;
  readonly #buffers: ListBuffer[];
  readonly #searched: (Searched | undefined)[] = [];

  constructor(host: Host, options: Options) {
    this.#host = host;
    this.#options = options;
    this.#buffers = host.arch.layers.map(() => new ListBuffer(host.device));
  }

  select(encoder: Encoder, view: LayerView): Selection | undefined {
    const { k, sinks, window, dense, sparse, end, refresh } = this.#options;
    const { layer, n, slots, cache } = view;
    const before = this.#searched[layer];
    this.#searched[layer] = undefined;
    const isDecode = view.moment === 'decode';
    if (layer < dense || view.window > 0 || slots <= sinks + k + window) return undefined;
    if (sparse !== 'both' && isDecode !== (sparse === 'decode')) return undefined;
    if (end === 'dense' && view.moment === 'prompt end') return undefined;
    if (n === 1 && before && holds(before, view, refresh)) {
      before.last = slots;
      before.edition = cache.edition;
      this.#searched[layer] = before;
      return { lists: before.lists };
    }
    const lists = this.#search(encoder, view);
    if (n === 1) this.#searched[layer] = { lists, since: slots, last: slots, edition: cache.edition };
    return { lists };
  }

  #search(encoder: Encoder, view: LayerView): BlockLists {
    const { rows, refresh } = this.#options;
    const { heads: h, kvHeads: g, headSize: d } = this.#host.arch;
    const { layer, n, slots, queries, heads, format, counts } = view;
    const search = searchOf(this.#options, n);
    const ahead = n === 1 ? refresh - 1 : 0;
    const shape = {
      blocks: Math.ceil(n / rows),
      heads: h / sharing(this.#options, this.#host),
      capacity: listCapacity(search, { rows: Math.min(rows, n), slots, ahead }),
    };
    const lists = this.#buffers[layer]?.reserve(rows, shape);
    if (!lists) throw new RangeError(`there is no layer ${layer}`);
    encoder.record(descend({ ...search, queries, n, h, g, d, heads, format, lists, ahead, counts }));
    return lists;
  }

  save(): Saved {
    const state = this.#searched.flatMap((one, layer) => {
      if (!one) return [];
      const { since, last, lists } = one;
      const { rows, heads, capacity } = lists;
      return [{ layer, since, last, rows, heads, capacity, words: [...(this.#buffers[layer]?.words(lists, 1) ?? [])] }];
    });
    return { state };
  }

  restore(state: unknown): void {
    const read = savedSchema.safeParse(state);
    if (!read.success) throw new RangeError('what hip attention saved is damaged');
    for (const { layer, since, last, rows, words, ...shape } of read.data) {
      const buffer = this.#buffers[layer];
      const lists = buffer?.reserve(rows, { blocks: 1, ...shape });
      if (!buffer || !lists) throw new RangeError(`what hip attention saved has a layer ${layer}`);
      buffer.words(lists, 1).set(words);
      this.#searched[layer] = { lists, since, last, edition: undefined };
    }
  }

  fork(): Attending {
    const fork = new Hip(this.#host, this.#options);
    fork.restore(this.save().state);
    return fork;
  }

  close(): void {
    for (const buffer of this.#buffers) buffer.close();
  }
}

/** Whether the lists of a search serve one more row: the next one, with the slots before it as they were. */
function holds({ since, last, edition }: Searched, { slots, cache }: LayerView, refresh: number): boolean {
  return slots === last + 1 && slots - since < refresh && (edition ?? cache.edition) === cache.edition;
}
