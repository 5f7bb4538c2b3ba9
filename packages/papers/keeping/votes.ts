import type { Encoder } from '@loci/device';
import { weighStride } from '@loci/kernels';
import type { Host, LayerView } from 'loci';
import { weighRows } from './weigh-rows.ts';

/**
 * Attention weights of some queries over every slot, added up per query head, layer by layer: what methods count as votes.
 * They lie on the device until they are asked for.
 */
export class Votes {
  readonly #host: Host;
  #room: { readonly address: number; readonly stride: number; readonly states: number } | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Records the votes of the last `rows` rows of a layer, anew: what was there is forgotten. */
  record(encoder: Encoder, view: LayerView, rows: number): void {
    const { device, arch } = this.#host;
    const { heads: h, layers } = arch;
    const n = Math.min(rows, view.n);
    const stride = weighStride(view.slots);
    if (view.layer === 0) {
      this.close();
      const address = device.allocate(4 * layers.length * h * stride);
      device.bytes(address, 4 * layers.length * h * stride).fill(0);
      this.#room = { address, stride, states: device.allocate(8 * n * h) };
    }
    const room = this.#room;
    if (!room) throw new RangeError('votes begin at layer 0');
    const out = room.address + 4 * view.layer * h * stride;
    const last = { first: view.n - n, n };
    encoder.record(weighRows(this.#host, view, last, { states: room.states, out, stride, rows: 'added' }));
  }

  /** Votes of one query head for the first `slots` slots. @throws RangeError before any were recorded. */
  of(layer: number, head: number, slots: number): Float32Array {
    if (!this.#room) throw new RangeError('there are no votes yet');
    const { address, stride } = this.#room;
    const at = address + 4 * (layer * this.#host.arch.heads + head) * stride;
    return this.#host.device.floats(at, Math.min(slots, stride)).slice();
  }

  /** The mean of the votes of `count` query heads from `first` on, each made smooth before if so wished. */
  mean(
    layer: number,
    { first, count }: { readonly first: number; readonly count: number },
    slots: number,
    smooth: (votes: Float32Array) => Float32Array = (votes) => votes,
  ): Float32Array {
    const mean = new Float32Array(slots);
    for (let head = first; head < first + count; head++) {
      const votes = smooth(this.of(layer, head, slots));
      for (let i = 0; i < slots; i++) mean[i] = (mean[i] ?? 0) + (votes[i] ?? 0) / count;
    }
    return mean;
  }

  close(): void {
    if (!this.#room) return;
    this.#host.device.free(this.#room.address);
    this.#host.device.free(this.#room.states);
    this.#room = undefined;
  }
}
