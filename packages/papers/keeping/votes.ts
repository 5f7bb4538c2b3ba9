import type { Encoder } from '@loci/device';
import { weigh, weighStride } from '@loci/kernels';
import type { Host, LayerView } from 'loci';

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
    const { heads: h, kvHeads: g, headSize: d, layers } = arch;
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
    const skipped = view.n - n;
    encoder.record(
      weigh({
        ...{ n, h, g, d, heads: view.heads, appended: view.n, scale: view.scale, window: view.window },
        queries: view.queries + 4 * skipped * h * d,
        positions: view.positions + 4 * skipped,
        format: view.format,
        states: room.states,
        out: room.address + 4 * view.layer * h * stride,
        stride,
        rows: 'added',
      }),
    );
  }

  /** Votes of one query head for the first `slots` slots. @throws RangeError before any were recorded. */
  of(layer: number, head: number, slots: number): Float32Array {
    if (!this.#room) throw new RangeError('there are no votes yet');
    const { address, stride } = this.#room;
    const at = address + 4 * (layer * this.#host.arch.heads + head) * stride;
    return Float32Array.from(this.#host.device.floats(at, Math.min(slots, stride)));
  }

  /** The mean of some query heads' votes. */
  mean(layer: number, heads: readonly number[], slots: number): Float32Array {
    const mean = new Float32Array(slots);
    for (const head of heads) {
      const votes = this.of(layer, head, slots);
      for (let i = 0; i < slots; i++) mean[i] = (mean[i] ?? 0) + (votes[i] ?? 0) / heads.length;
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
