import type { Encoder } from '@loci/device';
import { pageSlots } from '@loci/kernels';
import type { Attend, Attending, Host, LayerView, Model, OpenOptions, ReadOptions, Selection, Session } from 'loci';
import { ListBuffer, type Listed } from '../attending/list-buffer.ts';
import type { Options } from './options.ts';
import { Retrieving } from './retrieving.ts';

/** What follows a text reads: everything, what a search finds, first and last tokens alone, or with as many keys by chance. */
export type Reader = 'dense' | 'retrieval' | 'window' | 'random';

/**
 * A text that is read once, densely, and indexed; forks of it go on from there as one reader or the other. Whatever they read is
 * read so, rows of a prompt too: prompts behind the text can be fed to them token by token.
 */
export class OneReading {
  readonly #session: Session;
  readonly #state: { reader: Reader };

  private constructor(session: Session, state: { reader: Reader }) {
    this.#session = session;
    this.#state = state;
  }

  static async of(
    model: Model,
    ids: ArrayLike<number>,
    chosen: Options,
    options: Pick<OpenOptions, 'precision' | 'store'> & ReadOptions = {},
  ): Promise<OneReading> {
    const state: { reader: Reader } = { reader: 'dense' };
    const attend: Attend = {
      ...{ axis: 'attend', name: 'one-reading', spec: 'one-reading', needs: {} },
      open(host) {
        const first = new Retrieving(host, chosen);
        return {
          begin: () => first.begin(),
          rotated: (encoder, view) => first.rotated(encoder, view),
          settle: (rows) => first.settle(rows),
          fork: () => readerOf(state.reader, host, first, chosen),
          close: () => first.close(),
        };
      },
    };
    const { signal, onProgress, ...opening } = options;
    const session = await model.open({ ...opening, attend });
    await session.prefill({ ids }, { signal, onProgress });
    return new OneReading(session, state);
  }

  /** Goes on as a reader. */
  async as<T>(reader: Reader, work: (session: Session) => Promise<T>): Promise<T> {
    this.#state.reader = reader;
    const fork = this.#session.fork();
    try {
      return await work(fork);
    } finally {
      fork.close();
    }
  }

  close(): void {
    this.#session.close();
  }
}

function readerOf(reader: Reader, host: Host, first: Retrieving, options: Options): Attending {
  switch (reader) {
    case 'dense': {
      const dense: Attending = { fork: () => dense, close: () => {} };
      return dense;
    }
    case 'random':
      return new RandomKeys(host, options, (layer, head) => first.indexed(layer, head));
    default:
      return searching(first.with(reader === 'window' ? { ...options, k: 0 } : options));
  }
}

/** Whatever is read is read as if it were generated. */
function searching(inner: Retrieving): Attending {
  return {
    select: (encoder: Encoder, view: LayerView) => inner.select(encoder, { ...view, moment: 'decode' }),
    fork: () => searching(inner.fork()),
    close: () => inner.close(),
  };
}

/** First and last tokens, and k keys of those between them by chance, the same ones for all rows of a program. */
class RandomKeys implements Attending {
  readonly #host: Host;
  readonly #options: Options;
  readonly #indexed: (layer: number, head: number) => number;
  readonly #lists: ListBuffer[] = [];
  #drawn = 1;

  constructor(host: Host, options: Options, indexed: (layer: number, head: number) => number) {
    this.#host = host;
    this.#options = options;
    this.#indexed = indexed;
  }

  select(_: Encoder, { layer, n, slots }: LayerView): Selection {
    const { k, sinks } = this.#options;
    const { heads: h, kvHeads: g } = this.#host.arch;
    const capacity = Math.ceil(slots / pageSlots);
    this.#lists[layer] ??= new ListBuffer(this.#host.device);
    const buffer = this.#lists[layer];
    const lists = buffer.reserve(n, { blocks: 1, heads: h, capacity });
    for (let head = 0; head < h; head++) {
      const count = this.#indexed(layer, Math.floor((head * g) / h));
      const sets = new Int32Array(capacity);
      const set = (slot: number) => {
        sets[slot >> 5] = (sets[slot >> 5] ?? 0) | (1 << (slot & 31));
      };
      for (let slot = 0; slot < slots; slot++) if (slot < sinks || slot >= sinks + count) set(slot);
      for (let i = 0; i < k; i++) {
        this.#drawn = (Math.imul(this.#drawn, 1_664_525) + 1_013_904_223) >>> 0;
        set(sinks + Math.floor((this.#drawn / 2 ** 32) * count));
      }
      const list: Listed[] = Array.from(sets, (bits, page) => ({ page, slots: bits })).filter(
        ({ slots: bits }) => bits !== 0,
      );
      buffer.write(lists, 0, head, list);
    }
    return { lists };
  }

  fork(): Attending {
    return new RandomKeys(this.#host, this.#options, this.#indexed);
  }

  close(): void {
    for (const lists of this.#lists) lists?.close();
  }
}
