import { createHash } from 'node:crypto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Random choices that are the same for the same name on every machine: Blackman and Vigna 2018, xoroshiro128+. */
export class Random {
  readonly #generator;

  /** @param name Seeds the generator through its SHA-256: names that differ give choices that have nothing in common. */
  constructor(name: string) {
    this.#generator = xoroshiro128plus(createHash('sha256').update(name).digest().readInt32LE());
  }

  /** A whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return uniformInt(this.#generator, least, most);
  }

  /** A number from 0 up to, and not including, 1, in steps of 2^-32. */
  real(): number {
    return this.integer(0, 0xffffffff) / 0x100000000;
  }

  /** A number of the standard normal distribution: Box and Muller 1958. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.real())) * Math.cos(2 * Math.PI * this.real());
  }

  /** One of the items, of which there is at least one. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return items[this.integer(0, items.length - 1)] as T;
  }

  /** The items in another order: Fisher and Yates. */
  shuffled<T>(items: readonly T[]): T[] {
    const order = [...items];
    for (let last = order.length - 1; last > 0; last--) {
      const other = this.integer(0, last);
      [order[last], order[other]] = [order[other] as T, order[last] as T];
    }
    return order;
  }

  /** A random UUID: RFC 9562, version 4. */
  uuid(): string {
    const hex = Array.from({ length: 32 }, () => this.integer(0, 15).toString(16));
    hex[12] = '4';
    hex[16] = this.pick(['8', '9', 'a', 'b']);
    const text = hex.join('');
    return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
  }
}
