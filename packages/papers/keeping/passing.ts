import type { Encoder } from '@loci/device';
import { copy } from '@loci/kernels';
import type { Host, LayerView, Probe, Probing, Ran } from 'loci';
import { slotRange } from './rows.ts';

/** What passed through a layer, row by row of a text: rotated queries and keys, values, and what attention made of them. */
export interface PassedLayer {
  readonly queries: Float32Array[];
  readonly keys: Float32Array[];
  readonly values: Float32Array[];
  readonly attended: Float32Array[];
}

type Part = keyof PassedLayer;

/** Copies what passes through some layers of one sequence, chunk by chunk. */
export class PassingProbe implements Probe {
  readonly axis = 'probe';
  readonly name = 'passing';
  readonly spec = 'passing';
  readonly needs = {};
  /** By layer; empty for those that were not asked for. */
  readonly layers: PassedLayer[] = [];
  readonly #parts: readonly Part[];
  readonly #wants: (layer: number) => boolean;

  constructor(parts: readonly Part[], wants: (layer: number) => boolean = () => true) {
    this.#parts = parts;
    this.#wants = wants;
  }

  open(host: Host): Probing {
    const { arch, device } = host;
    this.layers.push(...arch.layers.map(() => ({ queries: [], keys: [], values: [], attended: [] })));
    const widths = { queries: arch.heads, keys: arch.kvHeads, values: arch.kvHeads, attended: arch.heads };
    let rooms: { readonly layer: number; readonly part: Part; readonly address: number }[] = [];
    const record = (encoder: Encoder, view: LayerView, parts: readonly Part[]) => {
      for (const part of parts) {
        if (!this.#wants(view.layer) || !this.#parts.includes(part)) continue;
        const columns = widths[part] * arch.headSize;
        const address = device.allocate(4 * view.n * (columns + 1));
        const rows = address + 4 * view.n * columns;
        device.ints(rows, view.n).set(slotRange(0, view.n));
        encoder.record(copy({ from: view[part], stride: columns, rows, n: view.n, columns, out: address }));
        rooms.push({ layer: view.layer, part, address });
      }
    };
    return {
      rotated: (encoder, view) => record(encoder, view, ['queries', 'keys', 'values']),
      attended: (encoder, view) => record(encoder, view, ['attended']),
      ran: ({ n }: Ran) => {
        for (const { layer, part, address } of rooms) {
          const columns = widths[part] * arch.headSize;
          for (let row = 0; row < n; row++) {
            this.layers[layer]?.[part].push(Float32Array.from(device.floats(address + 4 * row * columns, columns)));
          }
          device.free(address);
        }
        rooms = [];
      },
      result: () => null,
      close: () => {
        for (const { address } of rooms) device.free(address);
      },
    };
  }
}
