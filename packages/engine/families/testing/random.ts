/** Numbers that are the same on every machine: integer arithmetic and exact float operations only. */
export class SeededRandom {
  #state: number;

  constructor(seed: string) {
    // FNV-1a
    this.#state = 0x811c9dc5;
    for (let i = 0; i < seed.length; i++) this.#state = Math.imul(this.#state ^ seed.charCodeAt(i), 0x01000193);
  }

  /** A whole number in [0, 2^32): mulberry32. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  }

  below(limit: number): number {
    return this.word() % limit;
  }

  /** Bell-shaped (a sum of three uniform numbers), with the mean and standard deviation given. */
  floats(count: number, deviation: number, mean = 0): Float32Array {
    const uniform = () => this.word() / 2 ** 32;
    return Float32Array.from({ length: count }, () => mean + deviation * 2 * (uniform() + uniform() + uniform() - 1.5));
  }

  bytes(count: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }
}
