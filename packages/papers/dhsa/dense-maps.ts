import { Encoder } from '@loci/device';
import { copy, weigh, weighStride } from '@loci/kernels';
import type { Attend, Attending, Host, LayerView, Model, Ran } from 'loci';
import { GapRatios } from './labels.ts';

/** A layer of a text that was read with dense attention. */
export interface DenseLayer {
  readonly layer: number;
  /** Rotated keys of every token, those of all heads one behind the other: [n, g · d]. */
  readonly keys: Float32Array;
  /** See `GapRatios`. */
  readonly ratios: Float64Array;
}

/** Rows of a map that are taken at a time. */
const rowsAtOnce = 64;

/** Reads a text and returns keys and label ratios of some layers. */
export async function denseLayers(
  model: Model,
  ids: Int32Array,
  layers: readonly number[],
  w: number,
): Promise<readonly DenseLayer[]> {
  const found: DenseLayer[] = [];
  const attend: Attend = {
    ...{ axis: 'attend', name: 'dense-maps', spec: 'dense-maps', needs: {} },
    open: (host) => new DenseMaps(host, ids.length, layers, async (maps) => found.push(await maps.layer(w))),
  };
  const session = await model.open({ attend, store: 'f32' });
  try {
    await session.prefill({ ids });
    return found;
  } finally {
    session.close();
  }
}

/** One layer's attention, as it can be taken when the text has been read. */
export interface LayerMaps {
  readonly index: number;
  /** Weights of rows [n, h, stride], the last rows first, in pieces of so many rows. */
  rows(): AsyncGenerator<{
    readonly first: number;
    readonly n: number;
    readonly stride: number;
    readonly weights: Float32Array;
  }>;
  /** Rotated queries [n, h, d] and keys [n, g · d]. */
  readonly queries: Float32Array;
  readonly keys: Float32Array;
  layer(w: number): Promise<DenseLayer>;
}

/** Keeps queries and keys of a text, and when it has been read shows the maps of every wanted layer. */
class DenseMaps implements Attending {
  readonly #host: Host;
  readonly #n: number;
  readonly #layers: readonly number[];
  readonly #each: (maps: LayerMaps) => Promise<unknown>;
  readonly #room: number;
  readonly #rowFloats: number;

  constructor(host: Host, n: number, layers: readonly number[], each: (maps: LayerMaps) => Promise<unknown>) {
    const { heads, kvHeads, headSize } = host.arch;
    this.#host = host;
    this.#n = n;
    this.#layers = layers;
    this.#each = each;
    this.#rowFloats = (heads + kvHeads) * headSize;
    this.#room = host.device.allocate(4 * n * (this.#rowFloats * layers.length + 2));
  }

  attended(encoder: Encoder, view: LayerView): void {
    const at = this.#layers.indexOf(view.layer);
    if (at < 0) return;
    const { heads: h, kvHeads: g, headSize: d } = this.#host.arch;
    const { device } = this.#host;
    const list = this.#room + 4 * this.#n * this.#rowFloats * this.#layers.length;
    device.ints(list, view.n).set(Int32Array.from({ length: view.n }, (_, i) => i));
    const first = view.slots - view.n;
    const queries = this.#queries(at) + 4 * first * h * d;
    const keys = this.#queries(at) + 4 * this.#n * h * d + 4 * first * g * d;
    encoder.record(
      copy({ from: view.queries, stride: h * d, rows: list, n: view.n, columns: h * d, out: queries }),
      copy({ from: view.keys, stride: g * d, rows: list, n: view.n, columns: g * d, out: keys }),
    );
  }

  #queries(at: number): number {
    return this.#room + 4 * this.#n * this.#rowFloats * at;
  }

  async settle({ moment, cache }: Ran): Promise<void> {
    if (moment !== 'prompt end') return;
    const { device, arch } = this.#host;
    const { heads: h, kvHeads: g, headSize: d } = arch;
    const n = this.#n;
    const stride = weighStride(n);
    const room = device.allocate(4 * (rowsAtOnce * h * (stride + 2) + n));
    const states = room + 4 * rowsAtOnce * h * stride;
    const positions = states + 8 * rowsAtOnce * h;
    device.ints(positions, n).set(Int32Array.from({ length: n }, (_, i) => i));
    try {
      for (const [at, index] of this.#layers.entries()) {
        const queries = this.#queries(at);
        const window = arch.layers[index]?.window ?? 0;
        const piece = async (first: number, count: number) => {
          const encoder = new Encoder();
          encoder.record(
            weigh({
              ...{ n: count, h, g, d, heads: cache.headsOf(index), appended: 0, scale: arch.attentionScale, window },
              ...{ queries: queries + 4 * first * h * d, positions: positions + 4 * first, format: cache.pool.format },
              ...{ states, out: room, stride, rows: 'each' },
            }),
          );
          await device.run(encoder);
          return { first, n: count, stride, weights: device.floats(room, count * h * stride) };
        };
        const maps: LayerMaps = {
          index,
          queries: device.floats(queries, n * h * d),
          keys: device.floats(queries + 4 * n * h * d, n * g * d),
          async *rows() {
            for (let end = n; end > 0; end -= rowsAtOnce) {
              const first = Math.max(0, end - rowsAtOnce);
              yield await piece(first, end - first);
            }
          },
          async layer(w) {
            const ratios = new GapRatios(n, w);
            for await (const { n: count, weights } of maps.rows()) {
              for (let row = count - 1; row >= 0; row--) ratios.add(headMean(weights, row, h, stride));
            }
            return { layer: index, keys: Float32Array.from(maps.keys), ratios: ratios.ratios };
          },
        };
        await this.#each(maps);
      }
    } finally {
      device.free(room);
    }
  }

  fork(): Attending {
    return { fork: () => this.fork(), close: () => {} };
  }

  close(): void {
    this.#host.device.free(this.#room);
  }
}

/** A row of [n, h, stride] weights, averaged over heads. */
function headMean(weights: Float32Array, row: number, h: number, stride: number): Float64Array {
  const mean = new Float64Array(stride);
  for (let head = 0; head < h; head++) {
    const from = (row * h + head) * stride;
    for (let c = 0; c < stride; c++) mean[c]! += weights[from + c]! / h;
  }
  return mean;
}
