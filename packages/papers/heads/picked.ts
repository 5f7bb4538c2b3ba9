import type { Encoder } from '@loci/device';
import { copy, weighStride } from '@loci/kernels';
import type { Host, LayerView } from 'loci';
import { weighRows } from '../keeping/weigh-rows.ts';

/** Rows whose weights are in memory at a time. */
const rowsAtOnce = 32;

/**
 * A few attention weights of every row and query head, such as those on earlier copies of the row's token. Rows are
 * weighed some at a time, so that no matrix of weights ever exists; the picked ones lie on the device until the program
 * has run. Slots are positions: the cache must hold everything.
 */
export class PickedWeights {
  readonly #host: Host;
  readonly #picks: number;
  #room: Room | undefined;

  /** @param picks Weights of a row, at most. */
  constructor(host: Host, picks: number) {
    this.#host = host;
    this.#picks = picks;
  }

  /** Records the weights of a layer's rows on the slots that `slotsOf` names for a position. */
  record(encoder: Encoder, view: LayerView, slotsOf: (position: number) => readonly number[]): void {
    const { heads: h } = this.#host.arch;
    const stride = weighStride(view.slots);
    if (view.layer === 0) this.#begin(view, stride, slotsOf);
    const room = this.#room;
    if (!room) throw new RangeError('weights are picked from layer 0 on');
    const each = h * this.#picks;
    for (let first = 0; first < view.n; first += rowsAtOnce) {
      const n = Math.min(rowsAtOnce, view.n - first);
      encoder.record(
        weighRows(this.#host, view, { first, n }, { states: room.states, out: room.weights, stride, rows: 'each' }),
        copy({
          ...{ from: room.weights, stride: 1, columns: 1, n: n * each },
          rows: room.list + 4 * first * each,
          out: room.out + 4 * (view.layer * view.n + first) * each,
        }),
      );
    }
  }

  #begin(view: LayerView, stride: number, slotsOf: (position: number) => readonly number[]): void {
    this.close();
    const { device, arch } = this.#host;
    const { heads: h, layers } = arch;
    const each = h * this.#picks;
    const start = view.slots - view.n;
    const room = {
      ...{ n: view.n, start, weights: device.allocate(4 * rowsAtOnce * h * stride) },
      states: device.allocate(8 * rowsAtOnce * h),
      list: device.allocate(4 * view.n * each),
      out: device.allocate(4 * layers.length * view.n * each),
    };
    // A row with fewer slots than picks gets some weight or other for the rest: whoever reads knows how many it named.
    const list = device.ints(room.list, view.n * each).fill(0);
    for (let row = 0; row < view.n; row++) {
      for (const [i, slot] of slotsOf(start + row).entries()) {
        for (let head = 0; head < h; head++) {
          const at = ((row % rowsAtOnce) * h + head) * stride + slot;
          list[(row * h + head) * this.#picks + i] = at;
        }
      }
    }
    this.#room = room;
  }

  /** The program has run: calls back with every row's picked weights, in the order that `slotsOf` named them. */
  read(use: (layer: number, head: number, position: number, weights: Float32Array) => void): void {
    const room = this.#room;
    if (!room) return;
    const { device, arch } = this.#host;
    const each = arch.heads * this.#picks;
    const all = device.floats(room.out, arch.layers.length * room.n * each);
    for (const layer of arch.layers.keys()) {
      for (let row = 0; row < room.n; row++) {
        for (let head = 0; head < arch.heads; head++) {
          const at = (layer * room.n + row) * each + head * this.#picks;
          use(layer, head, room.start + row, all.subarray(at, at + this.#picks));
        }
      }
    }
  }

  close(): void {
    if (!this.#room) return;
    const { weights, states, list, out } = this.#room;
    for (const address of [weights, states, list, out]) this.#host.device.free(address);
    this.#room = undefined;
  }
}

interface Room {
  readonly n: number;
  /** Position of the first row. */
  readonly start: number;
  readonly weights: number;
  readonly states: number;
  /** Which weights of the rows at hand: int32 [n, h, picks]. */
  readonly list: number;
  /** [layers, n, h, picks] */
  readonly out: number;
}
