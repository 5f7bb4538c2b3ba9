import type { SlotRows } from '../keeping/rows.ts';

/** What dropped keys and values of every head were on average: for as many of each, since all windows are the same. */
export class Means {
  readonly #d: number;
  /** Key and value of a head: [heads, 2, d]. */
  readonly #rows: Float32Array<ArrayBuffer>;
  #count = 0;

  constructor(heads: number, d: number) {
    this.#d = d;
    this.#rows = new Float32Array(heads * 2 * d);
  }

  /** Keys of a head that went into its mean. */
  get count(): number {
    return this.#count;
  }

  /** What a head drops goes into its mean; `counted` afterwards, when all heads have. */
  fold(head: number, { keys, values }: SlotRows): void {
    const d = this.#d;
    for (const [i, rows] of [keys, values].entries()) {
      const added = rows.length / d;
      const mean = this.#rows.subarray((2 * head + i) * d, (2 * head + i + 1) * d);
      for (let c = 0; c < d; c++) {
        let sum = (mean[c] ?? 0) * this.#count;
        for (let row = 0; row < added; row++) sum += rows[row * d + c] ?? 0;
        mean[c] = sum / (this.#count + added);
      }
    }
  }

  counted(added: number): void {
    this.#count += added;
  }

  key(head: number): Float32Array {
    return this.#rows.slice(2 * head * this.#d, (2 * head + 1) * this.#d);
  }

  value(head: number): Float32Array {
    return this.#rows.slice((2 * head + 1) * this.#d, (2 * head + 2) * this.#d);
  }

  clear(): void {
    this.#rows.fill(0);
    this.#count = 0;
  }

  copy(): Means {
    const copy = new Means(this.#rows.length / (2 * this.#d), this.#d);
    copy.#rows.set(this.#rows);
    copy.#count = this.#count;
    return copy;
  }

  save(): unknown {
    return { count: this.#count, rows: Buffer.from(this.#rows.buffer).toString('base64') };
  }

  /** @throws RangeError for what `save` did not write. */
  restore(state: unknown): void {
    if (typeof state !== 'object' || state === null || !('count' in state) || !('rows' in state)) {
      throw new RangeError('not means of dropped keys');
    }
    const { count, rows } = state;
    if (typeof count !== 'number' || !Number.isInteger(count) || count < 0 || typeof rows !== 'string') {
      throw new RangeError('not means of dropped keys');
    }
    const bytes = Buffer.from(rows, 'base64');
    if (bytes.length !== this.#rows.byteLength) throw new RangeError('means of other heads');
    new Uint8Array(this.#rows.buffer).set(bytes);
    this.#count = count;
  }
}
