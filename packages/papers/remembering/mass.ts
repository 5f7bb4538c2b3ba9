import type { Encoder } from '@loci/device';
import { weighStride } from '@loci/kernels';
import type { Host, LayerView, Ran } from 'loci';
import { weighRows } from '../keeping/weigh-rows.ts';
import { Room } from '../methods/room.ts';

/**
 * The attention that every token has received, in some layers and per query head, from the queries that had it in the cache: for
 * the last `window` tokens. Weights are those among what the cache holds.
 */
export class Mass {
  readonly #host: Host;
  readonly #window: number;
  readonly #layers: readonly number[];
  /** For each of the layers [h, window], a token at its position modulo the window. */
  #sums: Float32Array[];
  readonly #room: Room;
  #stride = 0;

  constructor(host: Host, window: number, layers: readonly number[]) {
    const { heads } = host.arch;
    this.#host = host;
    this.#window = window;
    this.#layers = layers;
    this.#room = new Room(host.device);
    this.#sums = layers.map(() => new Float32Array(heads * window));
  }

  /** Room for the rows of a program that begins. */
  begin({ slots, n }: Pick<LayerView, 'slots' | 'n'>, most: number): void {
    const { device, arch } = this.#host;
    this.#stride = weighStride(most);
    const sums = this.#layers.length * arch.heads * this.#stride;
    const address = this.#room.reserve(4 * (sums + 2 * n * arch.heads));
    if (slots > this.#stride) throw new RangeError(`${slots} slots`);
    device.floats(address, sums).fill(0);
  }

  /** Records the weights of a layer's rows, if it is one of the layers. */
  record(encoder: Encoder, view: LayerView): void {
    const { arch } = this.#host;
    const index = this.#layers.indexOf(view.layer);
    if (index < 0) return;
    const stride = this.#stride;
    const out = this.#room.address + 4 * index * arch.heads * stride;
    const states = this.#room.address + 4 * this.#layers.length * arch.heads * stride;
    encoder.record(weighRows(this.#host, view, { first: 0, n: view.n }, { states, out, stride, rows: 'added' }));
  }

  /** Rows have been read: the last slots of the cache are the last tokens, one after the other. */
  add({ cache, position, n }: Ran): void {
    const { device, arch } = this.#host;
    const length = position + n;
    for (const [index, layer] of this.#layers.entries()) {
      const used = cache.usedOf(layer, 0);
      const from = this.#room.address + 4 * index * arch.heads * this.#stride;
      const sums = this.#sums[index];
      if (!sums) continue;
      for (let head = 0; head < arch.heads; head++) {
        const row = device.floats(from + 4 * head * this.#stride, used);
        const at = head * this.#window;
        for (let token = position; token < length; token++) sums[at + (token % this.#window)] = 0;
        const first = length - used;
        for (let slot = 0; slot < used; slot++) {
          const i = at + ((first + slot) % this.#window);
          sums[i] = (sums[i] ?? 0) + (row[slot] ?? 0);
        }
      }
    }
  }

  /** @param index Number of the layer among those that count. */
  of(index: number, head: number, token: number): number {
    return this.#sums[index]?.[head * this.#window + (token % this.#window)] ?? 0;
  }

  fork(): Mass {
    const fork = new Mass(this.#host, this.#window, this.#layers);
    fork.#sums = this.#sums.map((sums) => sums.slice());
    return fork;
  }

  *export(): Generator<Uint8Array<ArrayBuffer>> {
    for (const sums of this.#sums) yield new Uint8Array(sums.slice().buffer);
  }

  /** @throws RangeError when it has another size. */
  import(index: number, bytes: Uint8Array): void {
    const sums = this.#sums[index];
    if (!sums || bytes.length !== sums.byteLength) throw new RangeError('attention of another size');
    new Uint8Array(sums.buffer).set(bytes);
  }

  close(): void {
    this.#room.close();
  }
}
