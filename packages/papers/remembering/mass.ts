import type { Encoder } from '@loci/device';
import { weighStride } from '@loci/kernels';
import type { Host, LayerView, Ran } from 'loci';
import { weighRows } from '../keeping/weigh-rows.ts';

/**
 * The attention that every token has received, per layer and query head, from the queries that had it in the cache: for
 * the last `window` tokens. Weights are those among what the cache holds.
 */
export class Mass {
  readonly #host: Host;
  readonly #window: number;
  /** [layer][h, window], a token at its position modulo the window. */
  #sums: Float32Array[];
  #room = { address: 0, floats: 0 };
  #stride = 0;

  constructor(host: Host, window: number) {
    const { heads, layers } = host.arch;
    this.#host = host;
    this.#window = window;
    this.#sums = layers.map(() => new Float32Array(heads * window));
  }

  /** Room for the rows of a program that begins. */
  begin({ slots, n }: Pick<LayerView, 'slots' | 'n'>, most: number): void {
    const { device, arch } = this.#host;
    this.#stride = weighStride(most);
    const floats = arch.layers.length * arch.heads * this.#stride + 2 * n * arch.heads;
    if (floats > this.#room.floats) {
      if (this.#room.floats > 0) device.free(this.#room.address);
      this.#room = { address: device.allocate(4 * floats), floats };
    }
    if (slots > this.#stride) throw new RangeError(`${slots} slots`);
    device.floats(this.#room.address, arch.layers.length * arch.heads * this.#stride).fill(0);
  }

  /** Records the weights of a layer's rows. */
  record(encoder: Encoder, view: LayerView): void {
    const { arch } = this.#host;
    const stride = this.#stride;
    const out = this.#room.address + 4 * view.layer * arch.heads * stride;
    const states = this.#room.address + 4 * arch.layers.length * arch.heads * stride;
    encoder.record(weighRows(this.#host, view, { first: 0, n: view.n }, { states, out, stride, rows: 'added' }));
  }

  /** Rows have been read: the last slots of the cache are the last tokens, one after the other. */
  add({ cache, position, n }: Ran, layers: (layer: number) => boolean): void {
    const { device, arch } = this.#host;
    const length = position + n;
    for (const layer of arch.layers.keys()) {
      if (!layers(layer)) continue;
      const used = cache.usedOf(layer, 0);
      const from = this.#room.address + 4 * layer * arch.heads * this.#stride;
      const sums = this.#sums[layer];
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

  of(layer: number, head: number, token: number): number {
    return this.#sums[layer]?.[head * this.#window + (token % this.#window)] ?? 0;
  }

  fork(): Mass {
    const fork = new Mass(this.#host, this.#window);
    fork.#sums = this.#sums.map((sums) => sums.slice());
    return fork;
  }

  *export(): Generator<Uint8Array<ArrayBuffer>> {
    for (const sums of this.#sums) yield new Uint8Array(sums.slice().buffer);
  }

  /** @throws RangeError when it has another size. */
  import(layer: number, bytes: Uint8Array): void {
    const sums = this.#sums[layer];
    if (!sums || bytes.length !== sums.byteLength) throw new RangeError('attention of another size');
    new Uint8Array(sums.buffer).set(bytes);
  }

  close(): void {
    if (this.#room.floats > 0) this.#host.device.free(this.#room.address);
    this.#room = { address: 0, floats: 0 };
  }
}
