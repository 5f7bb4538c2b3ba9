/** Positions share a double with their order, which leaves 21 bits for the order. */
export const MAX_ORDER = 2 ** 21;
const POSITIONS = 2 ** 32;

/** A binary heap of (order, position) pairs that yields the smallest order first and, among equals, the leftmost. */
export class OrderedQueue {
  #keys = new Float64Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(order: number, position: number): void {
    if (this.#size === this.#keys.length) {
      const larger = new Float64Array(this.#size * 2);
      larger.set(this.#keys);
      this.#keys = larger;
    }
    const keys = this.#keys;
    const key = order * POSITIONS + position;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = keys[parent] ?? 0;
      if (above <= key) break;
      keys[at] = above;
      at = parent;
    }
    keys[at] = key;
  }

  /** The smallest key; `orderOf` and `positionOf` take it apart. The queue must not be empty. */
  pop(): number {
    const keys = this.#keys;
    const top = keys[0] ?? 0;
    const size = --this.#size;
    const last = keys[size] ?? 0;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child++;
      const below = keys[child] ?? 0;
      if (below >= last) break;
      keys[at] = below;
      at = child;
    }
    keys[at] = last;
    return top;
  }
}

export function orderOf(key: number): number {
  return Math.floor(key / POSITIONS);
}

export function positionOf(key: number): number {
  return key % POSITIONS;
}
