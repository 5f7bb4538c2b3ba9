import type { Device } from '@loci/device';
import { copy } from '@loci/kernels';
import type { Host, LayerView, Probe, Probing } from 'loci';

/** How large the rotated keys of a text are, [layers][kvHeads · headSize]. */
export interface KeySizes {
  readonly largest: readonly Float32Array[];
  readonly mean: readonly Float32Array[];
}

/** Looks at every key of every layer: what smoothing is calibrated by. */
export function keySizes(): { readonly probe: Probe; sizes(): KeySizes } {
  let open: KeyProbe | undefined;
  return {
    probe: {
      ...{ axis: 'probe', name: 'key-sizes', spec: 'key-sizes', needs: {} },
      open: (host) => {
        open = new KeyProbe(host);
        return open;
      },
    },
    sizes() {
      if (!open) throw new Error('no session has been opened with this probe');
      return open.sizes();
    },
  };
}

class KeyProbe implements Probing {
  readonly #device: Device;
  readonly #columns: number;
  readonly #largest: Float32Array[];
  readonly #sums: Float64Array[];
  readonly #buffers = new Map<number, { readonly address: number; readonly room: number }>();
  readonly #order: { address: number; room: number } = { address: 0, room: 0 };
  #count = 0;

  constructor({ device, arch }: Host) {
    this.#device = device;
    this.#columns = arch.kvHeads * arch.headSize;
    this.#largest = arch.layers.map(() => new Float32Array(this.#columns));
    this.#sums = arch.layers.map(() => new Float64Array(this.#columns));
  }

  rotated(encoder: Parameters<NonNullable<Probing['rotated']>>[0], { layer, n, keys }: LayerView): void {
    if (this.#order.room < n) {
      if (this.#order.room > 0) this.#device.free(this.#order.address);
      this.#order.address = this.#device.allocate(4 * n);
      this.#order.room = n;
      const bytes = this.#device.bytes(this.#order.address, 4 * n);
      bytes.set(new Uint8Array(Int32Array.from({ length: n }, (_, i) => i).buffer));
    }
    let buffer = this.#buffers.get(layer);
    if (!buffer || buffer.room < n) {
      if (buffer) this.#device.free(buffer.address);
      buffer = { address: this.#device.allocate(4 * n * this.#columns), room: n };
      this.#buffers.set(layer, buffer);
    }
    const columns = this.#columns;
    encoder.record(copy({ from: keys, stride: columns, rows: this.#order.address, n, columns, out: buffer.address }));
  }

  ran({ n }: { readonly n: number }): void {
    for (const [layer, { address }] of this.#buffers) {
      const keys = this.#device.floats(address, n * this.#columns);
      const largest = this.#largest[layer] ?? new Float32Array();
      const sums = this.#sums[layer] ?? new Float64Array();
      for (let i = 0; i < keys.length; i++) {
        const size = Math.abs(keys[i] ?? 0);
        const c = i % this.#columns;
        largest[c] = Math.max(largest[c] ?? 0, size);
        sums[c] = (sums[c] ?? 0) + size;
      }
    }
    this.#count += n;
  }

  sizes(): KeySizes {
    return { largest: this.#largest, mean: this.#sums.map((sums) => Float32Array.from(sums, (x) => x / this.#count)) };
  }

  result(): unknown {
    return this.#largest.map((row) => Array.from(row));
  }

  close(): void {
    for (const { address } of this.#buffers.values()) this.#device.free(address);
    if (this.#order.room > 0) this.#device.free(this.#order.address);
    this.#buffers.clear();
    this.#order.room = 0;
  }
}
