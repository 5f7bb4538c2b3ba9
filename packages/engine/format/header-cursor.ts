import { LociError } from '../errors.ts';
import type { ByteSource } from '../platform/types.ts';
import type { StringTableBuilder } from './string-table.ts';

/** The most that a header may take: real ones end below 32 MB, and a claim beyond this is not worth the memory. */
const headerLimit = 2 ** 28;
const firstRead = 2 ** 16;
const largestRead = 2 ** 22;

/**
 * Reads a little-endian header forwards, in ranges that grow. `fill` makes bytes available and refuses what the file
 * cannot hold before it allocates; the readers below it are synchronous, so that a vocabulary of 250,000 strings costs
 * a few dozen waits.
 */
export class HeaderCursor {
  readonly #source: ByteSource;
  readonly #end: number;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  /** Where in the file `#bytes` starts. */
  #base = 0;
  #nextRead = firstRead;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#end = Math.min(source.size, headerLimit);
  }

  /** Absolute place of the next byte. */
  get offset(): number {
    return this.#base + this.#at;
  }

  /** Bytes that can be read before the next `fill`. */
  get available(): number {
    return this.#bytes.length - this.#at;
  }

  /** Bytes that a header may still have. */
  get left(): number {
    return this.#end - this.offset;
  }

  /** Makes `length` bytes available. @throws LociError `bad-file` when `what` would end beyond the file. */
  async fill(length: number, what: string): Promise<void> {
    if (length <= this.available) return;
    if (length > this.left) throw this.#tooLong(length, what);
    const rest = this.#bytes.subarray(this.#at);
    const wanted = Math.min(this.left, Math.max(length, this.#nextRead));
    this.#nextRead = Math.min(largestRead, 2 * this.#nextRead);
    const more = await this.#source.read(this.offset + rest.length, wanted - rest.length);
    const joined = new Uint8Array(wanted);
    joined.set(rest);
    joined.set(more, rest.length);
    this.#base = this.offset;
    this.#at = 0;
    this.#bytes = joined;
    this.#view = new DataView(joined.buffer);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  /**
   * A length or count of things of at least `unit` bytes each.
   * @throws LociError `bad-file` when the rest of the file is too short for them.
   */
  count(unit: number, what: string): number {
    const count = this.#nextCount(unit, what);
    this.#at += 8;
    return count;
  }

  #nextCount(unit: number, what: string): number {
    const low = this.#view.getUint32(this.#at, true);
    const high = this.#view.getUint32(this.#at + 4, true);
    const count = high * 2 ** 32 + low;
    if (count * unit > this.left - 8) {
      const claimed = this.#view.getBigUint64(this.#at, true);
      throw this.#tooLong(claimed * BigInt(unit), `${what} (${claimed} claimed)`);
    }
    return count;
  }

  /** A string of `length` available bytes. @throws LociError `bad-file` when they are not UTF-8. */
  text(length: number, what: string): string {
    const start = this.#at;
    const end = start + length;
    // Most strings of a header are short ASCII tokens, for which a call of the decoder costs more than a loop.
    if (length <= 16) {
      let text = '';
      let at = start;
      for (; at < end; at++) {
        const byte = this.#bytes[at]!;
        if (byte > 127) break;
        text += String.fromCharCode(byte);
      }
      if (at === end) {
        this.#at = end;
        return text;
      }
    }
    try {
      const text = this.#decoder.decode(this.#bytes.subarray(start, end));
      this.#at = end;
      return text;
    } catch (error) {
      throw this.error(`${what} is not valid UTF-8`, this.offset, error);
    }
  }

  /** A copy of the next `length` available bytes. */
  copy(length: number): Uint8Array<ArrayBuffer> {
    const start = this.#advance(length);
    return this.#bytes.slice(start, start + length);
  }

  /**
   * Moves strings, each behind its length, to a table for as long as whole ones are available. Returns how many bytes must
   * be available for the next one, or 0 when the table has all.
   */
  takeStrings(table: StringTableBuilder, what: string): number {
    while (!table.isFull) {
      if (this.available < 8) return 8;
      const length = this.#nextCount(1, what);
      if (this.available < 8 + length) return 8 + length;
      this.#at += 8;
      table.push(this.#bytes, this.#at, length);
      this.#at += length;
    }
    return 0;
  }

  /** What to throw when something at `offset` is wrong. */
  error(reason: string, offset = this.offset, cause?: unknown): LociError {
    const message = `${this.#source.name}: at byte ${offset}: ${reason}`;
    return new LociError('bad-file', message, cause === undefined ? {} : { cause });
  }

  #advance(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }

  #tooLong(length: number | bigint, what: string): LociError {
    const { size } = this.#source;
    const bound =
      size > headerLimit
        ? `a header may have ${headerLimit} bytes`
        : `the file ends at byte ${size} (is it cut short?)`;
    return this.error(`${what} would take ${length} bytes, but ${bound}`);
  }
}
