const EMPTY = 0;

/**
 * A hash map from two non-negative integers to an integer ≥ −1, open addressing in flat arrays: a vocabulary has half a
 * million merges, and a `Map` with number keys beyond 31 bits would allocate for each.
 */
export class PairTable {
  static readonly absent = -2;

  #size = 0;
  #mask: number;
  #left: Int32Array;
  #right: Int32Array;
  /** Value plus 2, so that a zeroed slot is empty. */
  #value: Int32Array;

  constructor(expected: number) {
    let capacity = 16;
    while (capacity < expected * 2) capacity *= 2;
    this.#mask = capacity - 1;
    this.#left = new Int32Array(capacity);
    this.#right = new Int32Array(capacity);
    this.#value = new Int32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** The value, or `PairTable.absent`. */
  get(left: number, right: number): number {
    return (this.#value[this.#slot(left, right)] ?? EMPTY) - 2;
  }

  set(left: number, right: number, value: number): void {
    const slot = this.#slot(left, right);
    if (this.#value[slot] === EMPTY) {
      this.#size++;
      this.#left[slot] = left;
      this.#right[slot] = right;
    }
    this.#value[slot] = value + 2;
    if (this.#size * 2 > this.#mask) this.#grow();
  }

  clear(): void {
    this.#size = 0;
    this.#value.fill(EMPTY);
  }

  #slot(left: number, right: number): number {
    const mask = this.#mask;
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while (this.#value[slot] !== EMPTY && (this.#left[slot] !== left || this.#right[slot] !== right)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const left = this.#left;
    const right = this.#right;
    const value = this.#value;
    const capacity = value.length * 2;
    this.#mask = capacity - 1;
    this.#left = new Int32Array(capacity);
    this.#right = new Int32Array(capacity);
    this.#value = new Int32Array(capacity);
    for (let i = 0; i < value.length; i++) {
      if (value[i] === EMPTY) continue;
      const slot = this.#slot(left[i] ?? 0, right[i] ?? 0);
      this.#left[slot] = left[i] ?? 0;
      this.#right[slot] = right[i] ?? 0;
      this.#value[slot] = value[i] ?? EMPTY;
    }
  }
}
