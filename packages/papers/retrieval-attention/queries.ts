import type { Encoder } from '@loci/device';
import { graphRows } from '@loci/kernels';
import type { Host, LayerView } from 'loci';

/** The last queries of a prompt as rows of integers: of every layer int16 [h, places, d], the one at position p in place p mod places. */
export class QueryRing {
  readonly places: number;
  readonly #host: Host;
  readonly #layers: number[] = [];
  /** Positions that are held, [from, to). */
  #from = 0;
  #to = 0;

  constructor(host: Host, places: number) {
    this.#host = host;
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
    const position = this.#from + ((((place - this.#from) % places) + places) % places);
    return position < this.#to ? position : undefined;
  }

  /** Records that the last rows of a program are held, in place of older ones; those of all layers are. */
  capture(encoder: Encoder, { layer, queries, n, positions }: LayerView): void {
    const { heads: h, headSize: d } = this.#host.arch;
    const { places } = this;
    const held = Math.min(n, places);
    const [start = 0] = this.#host.device.ints(positions, n);
    const to = start + n;
    // What was behind these rows is another text's.
    const follows = start >= this.#from && start <= this.#to;
    if (layer === 0) {
      this.#from = Math.max(follows ? this.#from : start, to - places);
      this.#to = to;
    }
    this.#layers[layer] ??= this.#host.device.allocate(2 * h * places * d);
    encoder.record(
      graphRows({
        ...{ x: queries + 4 * (n - held) * h * d, n: held, heads: h, d, norm: 0 },
        ...{ out: this.rows(layer), room: places, first: (to - held) % places },
      }),
    );
  }

  close(): void {
    for (const rows of this.#layers.splice(0)) if (rows) this.#host.device.free(rows);
    this.#from = 0;
    this.#to = 0;
  }
}
