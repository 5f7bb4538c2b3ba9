import type { Encoder } from '@loci/device';
import { weighStride } from '@loci/kernels';
import type { Host, KvCache, LayerView, Probing, Ran } from 'loci';
import { weighRows } from '../keeping/weigh-rows.ts';

/** Attention of one query, in float32 whatever the cache holds. */
export interface AttentionRow {
  /** Of the query. What is produced is the token behind it. */
  readonly position: number;
  /** Weights of a query head over the slots of its key/value head; good until the next program. */
  weights(layer: number, head: number): Float32Array;
  /** Where the tokens of the slots stand; undefined where nothing was dropped, so that slots are positions. */
  positions(layer: number, head: number): Int32Array | undefined;
}

/** Queries of one program that are looked at, the last ones of it: rows of all heads are large. */
const mostRows = 64;

interface Room {
  readonly address: number;
  readonly states: number;
  readonly stride: number;
  readonly rows: number;
}

/** Shows the attention of every query that produces a token: those of decode steps, and the last one of a prompt. */
export class AttentionRows implements Probing {
  readonly #host: Host;
  readonly #onRow: (row: AttentionRow) => void;
  /** What a program writes, by layer. Sequences may share a program. */
  readonly #rooms = new Map<KvCache, Room[]>();

  constructor(host: Host, onRow: (row: AttentionRow) => void) {
    this.#host = host;
    this.#onRow = onRow;
  }

  attended(encoder: Encoder, view: LayerView): void {
    if (view.moment === 'prompt') return;
    const rows = view.moment === 'decode' ? Math.min(view.n, mostRows) : 1;
    // A program that failed has left its rooms.
    if (view.layer === 0) this.#release(view.cache);
    const room = this.#allocate(rows, weighStride(view.slots));
    this.#rooms.set(view.cache, [...(this.#rooms.get(view.cache) ?? []), room]);
    const { states, address: out, stride } = room;
    encoder.record(
      weighRows(this.#host, view, { first: view.n - rows, n: rows }, { states, out, stride, rows: 'each' }),
    );
  }

  ran({ cache, position, n }: Ran): void {
    const rooms = this.#rooms.get(cache);
    if (!rooms) return;
    const { heads: h, kvHeads: g } = this.#host.arch;
    const kvHead = (head: number) => Math.floor(head / (h / g));
    const rows = rooms[0]?.rows ?? 0;
    for (let row = 0; row < rows; row++) {
      this.#onRow({
        position: position + n - rows + row,
        weights: (layer, head) => {
          const { address, stride } = rooms[layer]!;
          return this.#host.device.floats(address + 4 * (row * h + head) * stride, cache.usedOf(layer, kvHead(head)));
        },
        positions: (layer, head) => (cache.exactFrom === 0 ? undefined : cache.positions(layer, kvHead(head))),
      });
    }
    this.#release(cache);
  }

  result(): undefined {}

  close(): void {
    for (const cache of this.#rooms.keys()) this.#release(cache);
  }

  #allocate(rows: number, stride: number): Room {
    const { device, arch } = this.#host;
    const address = device.allocate(4 * rows * arch.heads * stride);
    return { address, states: device.allocate(8 * rows * arch.heads), stride, rows };
  }

  #release(cache: KvCache): void {
    for (const { address, states } of this.#rooms.get(cache) ?? []) {
      this.#host.device.free(address);
      this.#host.device.free(states);
    }
    this.#rooms.delete(cache);
  }
}

/** The slot with the largest weight, the first of several. */
export function highestSlot(weights: Float32Array): number {
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (let slot = 0; slot < weights.length; slot++) {
    const weight = weights[slot] ?? 0;
    if (weight > most) [best, most] = [slot, weight];
  }
  return best;
}
