import type { Encoder } from '@loci/device';
import { graphRows } from '@loci/kernels';
import type { Host, LayerView } from 'loci';

/**
 * Some of the last queries of a prompt as rows of integers: of every layer int16 [h, places, d]. Of `every` positions one is
 * held; the i-th of these in place i mod places.
 */
export class QueryRing {
  readonly places: number;
  readonly #host: Host;
  readonly #every: number;
  readonly #layers: number[] = [];
  /** Which are held, [from, to): those at `every` times these numbers. */
  #from = 0;
  #to = 0;

  constructor(host: Host, places: number, every: number) {
    this.#host = host;
    this.#every = every;
    this.places = places;
  }

  /** How many are held. */
  get count(): number {
    return this.#to - this.#from;
  }

  /** Address of the rows of a layer. */
  rows(layer: number): number {
    return this.#layers[layer] ?? 0;
  }

  /** The position of the query in a place; undefined where there is none. */
  positionIn(place: number): number | undefined {
    const { places } = this;
    const number = this.#from + ((((place - this.#from) % places) + places) % places);
    return number < this.#to ? number * this.#every : undefined;
  }

  /** Records that rows of a program are held, in place of older ones; those of all layers are. */
  capture(encoder: Encoder, { layer, queries, n, positions }: LayerView): void {
    const { heads: h, headSize: d } = this.#host.arch;
    const { places } = this;
    const every = this.#every;
    const [start = 0] = this.#host.device.ints(positions, n);
    const end = Math.ceil((start + n) / every);
    const first = Math.max(Math.ceil(start / every), end - places);
    if (first >= end) return;
    if (layer === 0) {
      // What was held of these positions, and behind them, is another text's.
      const follows = first >= this.#from && first <= this.#to;
      this.#from = Math.max(follows ? this.#from : first, end - places);
      this.#to = end;
    }
    this.#layers[layer] ??= this.#host.device.allocate(2 * h * places * d);
    encoder.record(
      graphRows({
        ...{ x: queries + 4 * (first * every - start) * h * d, stride: every * h * d, n: end - first, heads: h, d },
        ...{ out: this.rows(layer), room: places, first: first % places, norm: 0 },
      }),
    );
  }

  close(): void {
    for (const rows of this.#layers.splice(0)) if (rows) this.#host.device.free(rows);
    this.#from = 0;
    this.#to = 0;
  }
}
