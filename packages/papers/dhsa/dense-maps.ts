import { Encoder } from '@loci/device';
import { copy, weigh, weighStride } from '@loci/kernels';
import type { Attend, Attending, Host, LayerView, Model, Ran } from 'loci';
import { inSession } from '../methods/in-session.ts';
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
export const rowsAtOnce = 64;

/** Reads a text with dense attention and shows the maps of some layers, one after the other. */
export async function denseMaps(
  model: Model,
  ids: Int32Array,
  layers: readonly number[],
  each: (maps: LayerMaps) => Promise<void>,
): Promise<void> {
  const attend: Attend = {
    ...{ axis: 'attend', name: 'dense-maps', spec: 'dense-maps', needs: {} },
    open: (host) => new DenseMaps(host, ids.length, layers, each),
  };
  await inSession(model, { attend, store: 'f32' }, (session) => session.prefill({ ids }));
}

/** Keys and label ratios of some layers of a text. */
export async function denseLayers(
  model: Model,
  ids: Int32Array,
  layers: readonly number[],
  w: number,
): Promise<readonly DenseLayer[]> {
  const { heads } = model.arch;
  const found: DenseLayer[] = [];
  await denseMaps(model, ids, layers, async (maps) => {
    const ratios = await ratiosOf(maps, ids.length, heads, w);
    found.push({ layer: maps.index, keys: Float32Array.from(maps.keys), ratios });
  });
  return found;
}

/** Label ratios of the gaps of a layer of n tokens. */
export async function ratiosOf({ weights }: LayerMaps, n: number, heads: number, w: number): Promise<Float64Array> {
  const maker = new GapRatios(n, w);
  for (let end = n; end > 0; end -= rowsAtOnce) {
    const first = Math.max(0, end - rowsAtOnce);
    const piece = await weights(first, end - first);
    for (let row = piece.n - 1; row >= 0; row--) maker.add(headMean(piece, row, heads));
  }
  return maker.ratios;
}

/** Attention weights of n rows from `first` on: [n, h, stride], valid until others are asked for. */
export interface MapRows {
  readonly first: number;
  readonly n: number;
  readonly stride: number;
  readonly weights: Float32Array;
}

/** One layer's attention, as it can be taken when the text has been read. */
export interface LayerMaps {
  readonly index: number;
  /** Of at most `rowsAtOnce` rows. */
  weights(first: number, n: number): Promise<MapRows>;
  /** Rotated queries [n, h, d] and keys [n, g · d]. */
  readonly queries: Float32Array;
  readonly keys: Float32Array;
}

/** Keeps queries and keys of a text, and when it has been read shows the maps of every wanted layer. */
class DenseMaps implements Attending {
  readonly #host: Host;
  readonly #n: number;
  readonly #layers: readonly number[];
  readonly #each: (maps: LayerMaps) => Promise<void>;
  readonly #room: number;
  readonly #rowFloats: number;

  constructor(host: Host, n: number, layers: readonly number[], each: (maps: LayerMaps) => Promise<void>) {
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
        await this.#each({
          index,
          queries: device.floats(queries, n * h * d),
          keys: device.floats(queries + 4 * n * h * d, n * g * d),
          async weights(first, count) {
            const encoder = new Encoder();
            encoder.record(
              weigh({
                ...{ n: count, h, g, d, heads: cache.headsOf(index), appended: 0, scale: arch.attentionScale, window },
                ...{
                  queries: queries + 4 * first * h * d,
                  positions: positions + 4 * first,
                  format: cache.pool.format,
                },
                ...{ states, out: room, stride, rows: 'each' },
              }),
            );
            await device.run(encoder);
            return { first, n: count, stride, weights: device.floats(room, count * h * stride) };
          },
        });
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

/** A row of the map, averaged over heads. */
function headMean({ weights, stride }: MapRows, row: number, h: number): Float64Array {
  const mean = new Float64Array(stride);
  for (let head = 0; head < h; head++) {
    const from = (row * h + head) * stride;
    for (let c = 0; c < stride; c++) mean[c]! += weights[from + c]! / h;
  }
  return mean;
}
