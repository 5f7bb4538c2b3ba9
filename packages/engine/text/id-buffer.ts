/** A growing list of ids without one object per id. */
export class IdBuffer {
  #ids = new Int32Array(256);
  #length = 0;

  push(id: number): void {
    if (this.#length === this.#ids.length) this.#grow(this.#length + 1);
    this.#ids[this.#length++] = id;
  }

  append(ids: Int32Array, count: number): void {
    if (this.#length + count > this.#ids.length) this.#grow(this.#length + count);
    // Most calls bring a few ids, for which `set` with a view costs more than the loop.
    for (let i = 0; i < count; i++) this.#ids[this.#length + i] = ids[i] ?? 0;
    this.#length += count;
  }

  toArray(): Int32Array<ArrayBuffer> {
    return this.#ids.slice(0, this.#length);
  }

  #grow(needed: number): void {
    const larger = new Int32Array(Math.max(needed, this.#ids.length * 2));
    larger.set(this.#ids);
    this.#ids = larger;
  }
}
