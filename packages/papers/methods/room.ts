import type { Host } from 'loci';

/** Device memory that a method needs again and again. It grows when more is asked for; what was there is lost then. */
export class Room {
  readonly #device: Host['device'];
  #address = 0;
  #bytes = 0;

  constructor(device: Host['device']) {
    this.#device = device;
  }

  /** Of what was asked for last. */
  get address(): number {
    return this.#address;
  }

  /** Address of so many bytes at least. @param taken What is allocated where there are fewer. */
  reserve(bytes: number, taken = bytes): number {
    if (bytes <= this.#bytes) return this.#address;
    this.close();
    this.#address = this.#device.allocate(taken);
    this.#bytes = taken;
    return this.#address;
  }

  close(): void {
    if (this.#bytes > 0) this.#device.free(this.#address);
    this.#address = 0;
    this.#bytes = 0;
  }
}
