import type { Encoder } from '@loci/device';
import { copy, listWords, pageSlots } from '@loci/kernels';
import type { Attend, Attending, Host, LayerView, Model, Selection } from 'loci';
import { slotRange } from '../keeping/rows.ts';
import { inSession } from '../methods/in-session.ts';

/** What blocks of queries read in the first layer of a text, which no choice has changed, and what they chose from. */
export interface FirstLayer {
  /** Rotated queries [n, h, d] and keys [n, g, d]. */
  readonly queries: Float32Array;
  readonly keys: Float32Array;
  /** Of every block the positions that it reads, by key/value head. */
  readonly chosen: readonly (readonly (readonly number[])[])[];
}

/** Reads a text of one program, of which the first layer attends by a method and the others to everything. */
export async function firstLayerOf(model: Model, method: Attend, ids: Int32Array): Promise<FirstLayer> {
  const found: FirstLayer[] = [];
  const attend: Attend = {
    ...{ axis: 'attend', name: 'first-layer', spec: 'first-layer', needs: {} },
    open(host) {
      const inner = method.open?.(host);
      if (!inner) throw new RangeError(`${method.spec} chooses nothing`);
      return new FirstLayerOnly(host, inner, ids.length, (one) => found.push(one));
    },
  };
  await inSession(model, { attend, store: 'f32', precision: 'float32' }, (session) => session.prefill({ ids }));
  const [one] = found;
  if (!one) throw new RangeError('the first layer has not been read');
  return one;
}

class FirstLayerOnly implements Attending {
  readonly #host: Host;
  readonly #inner: Attending;
  readonly #n: number;
  readonly #found: (one: FirstLayer) => void;
  readonly #room: number;
  #lists: Selection['lists'];

  constructor(host: Host, inner: Attending, n: number, found: (one: FirstLayer) => void) {
    const { heads, kvHeads, headSize } = host.arch;
    this.#host = host;
    this.#inner = inner;
    this.#n = n;
    this.#found = found;
    this.#room = host.device.allocate(4 * n * ((heads + kvHeads) * headSize + 1));
  }

  begin: NonNullable<Attending['begin']> = (cache) => this.#inner.begin?.(cache);

  select(encoder: Encoder, view: LayerView): Selection | undefined {
    if (view.layer > 0) return undefined;
    const selection = this.#inner.select?.(encoder, view);
    this.#lists = selection?.lists;
    return selection;
  }

  attended(encoder: Encoder, { layer, queries, keys, n }: LayerView): void {
    if (layer > 0) return;
    const { heads: h, kvHeads: g, headSize: d } = this.#host.arch;
    const to = this.#room + 4 * n * h * d;
    const rows = to + 4 * n * g * d;
    this.#host.device.ints(rows, n).set(slotRange(0, n));
    encoder.record(
      copy({ from: queries, stride: h * d, rows, n, columns: h * d, out: this.#room }),
      copy({ from: keys, stride: g * d, rows, n, columns: g * d, out: to }),
    );
  }

  ran(): void {
    const { device, arch } = this.#host;
    const { heads: h, kvHeads: g, headSize: d } = arch;
    const n = this.#n;
    const lists = this.#lists;
    if (!lists) return;
    const words = listWords(lists.capacity);
    const chosen = Array.from({ length: Math.ceil(n / lists.rows) }, (_, block) =>
      Array.from({ length: lists.heads }, (_, head) => {
        const [count = 0, ...entries] = device.ints(lists.address + 4 * (block * lists.heads + head) * words, words);
        return Array.from({ length: count }, (_, i) => entries.slice(2 * i, 2 * i + 2)).flatMap(([page = 0, set = 0]) =>
          Array.from({ length: pageSlots }, (_, slot) => slot).flatMap((slot) =>
            (set >>> slot) & 1 ? [pageSlots * page + slot] : [],
          ),
        );
      }),
    );
    this.#found({
      queries: Float32Array.from(device.floats(this.#room, n * h * d)),
      keys: Float32Array.from(device.floats(this.#room + 4 * n * h * d, n * g * d)),
      chosen,
    });
  }

  fork(): Attending {
    return this.#inner.fork();
  }

  close(): void {
    this.#inner.close();
    this.#host.device.free(this.#room);
  }
}
