const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { fatal: true });
/** Bytes that are checked in one call. */
const piece = 2 ** 18;

function isValid(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * Many short texts in UTF-8, each a range of the same bytes. A vocabulary and its merges are half a million of them: as
 * strings they would take most of the time and garbage of opening a model, and nearly none is ever asked for as a string.
 */
export class StringTable implements Iterable<string> {
  readonly bytes: Uint8Array;
  /** By index: where in `bytes` a text begins, and where it ends. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;

  /** @param bytes valid UTF-8 in every range */
  constructor(bytes: Uint8Array, starts: Uint32Array, ends: Uint32Array) {
    this.bytes = bytes;
    this.starts = starts;
    this.ends = ends;
  }

  /** Texts that lie one behind the other. @param bounds [texts + 1] */
  static between(bytes: Uint8Array, bounds: Uint32Array): StringTable {
    return new StringTable(bytes, bounds.subarray(0, -1), bounds.subarray(1));
  }

  static of(texts: readonly string[]): StringTable {
    const units = texts.reduce((sum, text) => sum + text.length, 0);
    // UTF-8 takes at most three bytes per UTF-16 unit.
    const bytes = new Uint8Array(3 * units);
    const bounds = new Uint32Array(texts.length + 1);
    let length = 0;
    for (const [index, text] of texts.entries()) {
      length += encoder.encodeInto(text, bytes.subarray(length)).written;
      bounds[index + 1] = length;
    }
    return StringTable.between(bytes.slice(0, length), bounds);
  }

  get length(): number {
    return this.starts.length;
  }

  at(index: number): string {
    return decoder.decode(this.bytes.subarray(this.starts[index], this.ends[index]));
  }

  /** Index of the first text that is not valid UTF-8, or −1. For texts that lie one behind the other. */
  firstInvalid(): number {
    const { bytes, starts, ends, length } = this;
    for (let from = 0; from < length; ) {
      // Many at a time: a call for each would take most of the time. What begins within a character would go unnoticed.
      let to = from;
      let isWhole = true;
      while (to < length && ends[to]! - starts[from]! <= piece) {
        if (starts[to]! < ends[to]! && (bytes[starts[to]!]! & 0xc0) === 0x80) isWhole = false;
        to++;
      }
      to = Math.max(to, from + 1);
      if (!isWhole || !isValid(bytes.subarray(starts[from], ends[to - 1]))) {
        while (from < to && isValid(bytes.subarray(starts[from], ends[from]))) from++;
        return from;
      }
      from = to;
    }
    return -1;
  }

  *[Symbol.iterator](): Generator<string> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }
}

/** A table of so many texts as it is read. */
export class StringTableBuilder {
  readonly #bounds: Uint32Array;
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(texts: number) {
    this.#bounds = new Uint32Array(texts + 1);
    this.#bytes = new Uint8Array(Math.min(16 * texts, 2 ** 20));
  }

  get isFull(): boolean {
    return this.#length === this.#bounds.length - 1;
  }

  /** Adds the text `source[start … start + length)`. */
  push(source: Uint8Array, start: number, length: number): void {
    const at = this.#bounds[this.#length]!;
    if (at + length > this.#bytes.length) {
      const larger = new Uint8Array(2 * (at + length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    const bytes = this.#bytes;
    // Most texts are short: a loop takes less than a view and a call.
    if (length <= 64) for (let i = 0; i < length; i++) bytes[at + i] = source[start + i]!;
    else bytes.set(source.subarray(start, start + length), at);
    this.#length += 1;
    this.#bounds[this.#length] = at + length;
  }

  table(): StringTable {
    return StringTable.between(this.#bytes.slice(0, this.#bounds.at(-1)), this.#bounds);
  }
}
