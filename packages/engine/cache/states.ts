import type { Device } from '@loci/device';

/**
 * What the layers of one sequence keep that do not attend: a block of bytes for each, zeros at the start. There are two of
 * everything: a program reads one and writes the other, and what it wrote counts when it has run.
 */
export class States {
  readonly #device: Device;
  /** Bytes by layer; undefined for layers that attend. */
  readonly #sizes: readonly (number | undefined)[];
  readonly #offsets: readonly number[];
  readonly #size: number;
  readonly #halves: readonly [number, number];
  #current: 0 | 1 = 0;

  constructor(device: Device, sizes: readonly (number | undefined)[]) {
    this.#device = device;
    this.#sizes = sizes;
    let size = 0;
    this.#offsets = sizes.map((bytes) => {
      const offset = size;
      size += Math.ceil((bytes ?? 0) / 64) * 64;
      return offset;
    });
    this.#size = Math.max(64, size);
    this.#halves = [device.allocate(this.#size), device.allocate(this.#size)];
    this.clear();
  }

  /** Bytes of device memory. */
  get bytes(): number {
    return 2 * this.#size;
  }

  /** Whether the layer keeps a state, in place of keys and values. */
  has(layer: number): boolean {
    return this.#sizes[layer] !== undefined;
  }

  /** Addresses of a layer's state as it is, and of where the next one goes. */
  of(layer: number): { readonly from: number; readonly to: number } {
    const offset = this.#offsets[layer];
    if (offset === undefined) throw new RangeError(`layer ${layer} of ${this.#offsets.length}`);
    return { from: this.#halves[this.#current] + offset, to: this.#halves[this.#current === 0 ? 1 : 0] + offset };
  }

  /** What was written counts. */
  commit(): void {
    this.#current = this.#current === 0 ? 1 : 0;
  }

  clear(): void {
    this.#device.bytes(this.#halves[this.#current], this.#size).fill(0);
  }

  fork(): States {
    const fork = new States(this.#device, this.#sizes);
    fork.import(this.export());
    return fork;
  }

  /** All states as they are; a view of device memory. */
  export(): Uint8Array {
    return this.#device.bytes(this.#halves[this.#current], this.#size);
  }

  /** @throws RangeError for bytes that `export` of the same model did not give. */
  import(bytes: Uint8Array): void {
    if (bytes.length !== this.#size) throw new RangeError(`states of ${bytes.length} bytes, not ${this.#size}`);
    this.#device.bytes(this.#halves[this.#current], this.#size).set(bytes);
  }

  close(): void {
    for (const half of this.#halves) this.#device.free(half);
  }
}
