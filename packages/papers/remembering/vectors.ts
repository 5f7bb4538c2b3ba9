import type { Encoder } from '@loci/device';
import { packVector, similar, vectorBytes } from '@loci/kernels';
import type { Host, LayerView } from 'loci';
import { Room } from '../methods/room.ts';

/** Vectors of a slab, in every layer. */
const slabVectors = 256;

/** Memory that several sequences may hold. */
interface Slab {
  /** Of [layers][slabVectors] vectors. */
  readonly address: number;
  holders: number;
}

/** A vector [h, d] for every event and layer, in 8 bits, and what queries resemble most. */
export class Vectors {
  readonly #host: Host;
  readonly #slabs: Slab[] = [];
  #count = 0;
  readonly #scores: Room;

  constructor(host: Host) {
    this.#host = host;
    this.#scores = new Room(host.device);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#slabs.length * this.#slabBytes;
  }

  /** Adds an event. @param vectorOf its vector [h, d] in a layer. */
  push(vectorOf: (layer: number) => ArrayLike<number>): void {
    const { device, arch } = this.#host;
    const slab = this.#openSlab();
    for (const layer of arch.layers.keys()) {
      const at = this.#at(slab, layer, this.#count % slabVectors);
      const bytes = device.bytes(at, this.#stride);
      packVector(vectorOf(layer), arch.heads, arch.headSize, bytes);
    }
    this.#count++;
  }

  /** Records the dot products of the mean of n queries with the vectors of a layer; `scores` has them when it has run. */
  record(encoder: Encoder, queries: number, { layer, n, counts }: LayerView): void {
    const { heads: h, headSize: d, layers } = this.#host.arch;
    const { length } = this.#slabs;
    // Behind the scores of all vectors that the slabs have room for stand their addresses, layer by layer.
    const places = 4 * length * slabVectors;
    const scores = this.#scores.reserve(places + 4 * layers.length * length);
    const groups = scores + places + 4 * layer * length;
    this.#host.device.ints(groups, length).set(this.#slabs.map((slab) => this.#at(slab, layer, 0)));
    encoder.record(
      similar({ queries, n, h, d, groups, perGroup: slabVectors, count: this.#count, out: scores, counts }),
    );
  }

  get scores(): Float32Array {
    return this.#host.device.floats(this.#scores.address, this.#count);
  }

  fork(): Vectors {
    const fork = new Vectors(this.#host);
    for (const slab of this.#slabs) slab.holders++;
    fork.#slabs.push(...this.#slabs);
    fork.#count = this.#count;
    return fork;
  }

  get slabCount(): number {
    return this.#slabs.length;
  }

  *export(): Generator<Uint8Array<ArrayBuffer>> {
    for (const { address } of this.#slabs) yield this.#host.device.bytes(address, this.#slabBytes).slice();
  }

  /** Takes the next slab in the order of `export`. @throws RangeError when it has another size. */
  import(bytes: Uint8Array, count: number): void {
    if (bytes.length !== this.#slabBytes) throw new RangeError('vectors of another size');
    const slab = this.#newSlab();
    this.#host.device.bytes(slab.address, this.#slabBytes).set(bytes);
    this.#count = count;
  }

  close(): void {
    for (const slab of this.#slabs.splice(0)) this.#release(slab);
    this.#scores.close();
    this.#count = 0;
  }

  get #stride(): number {
    return vectorBytes(this.#host.arch.heads, this.#host.arch.headSize);
  }

  get #slabBytes(): number {
    return this.#host.arch.layers.length * slabVectors * this.#stride;
  }

  #at({ address }: Slab, layer: number, index: number): number {
    return address + (layer * slabVectors + index) * this.#stride;
  }

  /** The slab that the next vector goes into, which nobody else reads. */
  #openSlab(): Slab {
    const last = this.#slabs.at(-1);
    if (!last || this.#count === this.#slabs.length * slabVectors) return this.#newSlab();
    if (last.holders === 1) return last;
    this.#slabs.pop();
    const copy = this.#newSlab();
    const { device } = this.#host;
    device.bytes(copy.address, this.#slabBytes).set(device.bytes(last.address, this.#slabBytes));
    this.#release(last);
    return copy;
  }

  #newSlab(): Slab {
    const slab = { address: this.#host.device.allocate(this.#slabBytes), holders: 1 };
    this.#host.device.bytes(slab.address, this.#slabBytes).fill(0);
    this.#slabs.push(slab);
    return slab;
  }

  #release(slab: Slab): void {
    if (--slab.holders === 0) this.#host.device.free(slab.address);
  }
}
