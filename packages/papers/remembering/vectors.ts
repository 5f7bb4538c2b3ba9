import type { Encoder } from '@loci/device';
import { packVector, similar, vectorBytes } from '@loci/kernels';
import type { Host, LayerView } from 'loci';
import { Room } from '../methods/room.ts';

/** Memory that several sequences may hold. */
interface Slab {
  /** Of [layers][events][each] vectors, for the layers that have any. */
  readonly address: number;
  holders: number;
}

/** Some vectors [h, d] for every event and each of some layers, in 8 bits, and what queries resemble most. */
export class Vectors {
  readonly #host: Host;
  readonly #layers: readonly number[];
  /** Vectors of an event in a layer. */
  readonly #each: number;
  /** Events of a slab. */
  readonly #perSlab: number;
  readonly #slabs: Slab[] = [];
  #count = 0;
  readonly #scores: Room;

  constructor(host: Host, layers: readonly number[], each: number) {
    this.#host = host;
    this.#layers = layers;
    this.#each = each;
    this.#perSlab = 32 * Math.ceil(8 / each);
    this.#scores = new Room(host.device);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#slabs.length * this.#slabBytes;
  }

  /** Adds an event. @param vectorsOf its vectors [h, d] in the layer of this number among those that have any. */
  push(vectorsOf: (index: number) => readonly ArrayLike<number>[]): void {
    const { device, arch } = this.#host;
    const slab = this.#openSlab();
    for (const index of this.#layers.keys()) {
      const at = this.#at(slab, index, this.#count % this.#perSlab);
      const vectors = vectorsOf(index);
      if (vectors.length !== this.#each) throw new RangeError(`${vectors.length} vectors of an event`);
      for (const [i, vector] of vectors.entries()) {
        packVector(vector, arch.heads, arch.headSize, device.bytes(at + i * this.#stride, this.#stride));
      }
    }
    this.#count++;
  }

  /** Records how much the mean of n queries is like the vectors of a layer; `scores` has it when it has run. */
  record(encoder: Encoder, queries: number, { layer, n, counts }: LayerView): void {
    const { heads: h, headSize: d } = this.#host.arch;
    const index = this.#layers.indexOf(layer);
    const { length } = this.#slabs;
    // Behind the scores of all events that the slabs have room for stand the slabs' addresses, layer by layer.
    const places = 4 * length * this.#perSlab * h;
    const scores = this.#scores.reserve(places + 4 * this.#layers.length * length);
    const groups = scores + places + 4 * index * length;
    this.#host.device.ints(groups, length).set(this.#slabs.map((slab) => this.#at(slab, index, 0)));
    const events = { groups, perGroup: this.#perSlab, count: this.#count, each: this.#each };
    encoder.record(similar({ queries, n, h, d, ...events, out: scores, counts }));
  }

  /** For every event and query head the largest product with a vector of it: [events, h]. */
  get scores(): Float32Array {
    return this.#host.device.floats(this.#scores.address, this.#count * this.#host.arch.heads);
  }

  fork(): Vectors {
    const fork = new Vectors(this.#host, this.#layers, this.#each);
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
    return this.#layers.length * this.#perSlab * this.#each * this.#stride;
  }

  #at({ address }: Slab, index: number, event: number): number {
    return address + (index * this.#perSlab + event) * this.#each * this.#stride;
  }

  /** The slab that the next vector goes into, which nobody else reads. */
  #openSlab(): Slab {
    const last = this.#slabs.at(-1);
    if (!last || this.#count === this.#slabs.length * this.#perSlab) return this.#newSlab();
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
