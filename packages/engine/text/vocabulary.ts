import { LociError } from '../errors.ts';
import type { StringTable } from '../format/string-table.ts';

/** What a token is for; GGUF's `tokenizer.ggml.token_type` has the same kinds. */
export type TokenKind = 'normal' | 'unknown' | 'control' | 'user-defined' | 'unused' | 'byte';

/** More would not fit the packed keys of the merge queue. */
export const MAX_TOKENS = 2 ** 21;

const encoder = new TextEncoder();

/** The tokens of a model in both directions. Texts are as the file spells them, in whatever alphabet the model uses. */
export class Vocabulary {
  readonly #texts: StringTable;
  readonly #kinds: readonly (TokenKind | undefined)[];
  /** Bytes of the longest token. */
  readonly longest: number;
  /** A hash table over the tokens' bytes with open addressing: an id plus one, or 0. */
  readonly #slots: Int32Array;
  /** Unlike that of any other vocabulary, so that no file can be made whose tokens all fall into one place. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  readonly #scratch: Uint8Array;

  /**
   * @param texts by id
   * @param kinds by id; ids that no token uses are `undefined`
   * @param file what error messages call the source
   * @throws LociError `bad-file` when there are no tokens, too many, or two with one text.
   */
  constructor(texts: StringTable, kinds: readonly (TokenKind | undefined)[], file: string) {
    const size = texts.length;
    if (size === 0) throw new LociError('bad-file', `${file}: the vocabulary is empty`);
    if (size > MAX_TOKENS) {
      throw new LociError('bad-file', `${file}: ${size} tokens, more than the ${MAX_TOKENS} a vocabulary may have`);
    }
    this.#texts = texts;
    this.#kinds = kinds;
    const { bytes, starts, ends } = texts;
    let capacity = 16;
    while (capacity < 2 * size) capacity *= 2;
    this.#slots = new Int32Array(capacity);
    let longest = 0;
    for (let id = 0; id < size; id++) {
      if (kinds[id] === undefined) continue;
      const start = starts[id]!;
      const end = ends[id]!;
      const slot = this.#slot(bytes, start, end);
      const other = this.#slots[slot]! - 1;
      if (other >= 0) {
        const text = JSON.stringify(texts.at(id));
        throw new LociError('bad-file', `${file}: tokens ${other} and ${id} are both ${text}`);
      }
      this.#slots[slot] = id + 1;
      longest = Math.max(longest, end - start);
    }
    this.longest = longest;
    // UTF-8 takes at most three bytes per UTF-16 unit.
    this.#scratch = new Uint8Array(3 * longest);
  }

  get size(): number {
    return this.#texts.length;
  }

  /** What a token is for; `undefined` for an id that no token uses. */
  kind(id: number): TokenKind | undefined {
    return this.#kinds[id];
  }

  /** The text of a token; empty for an id that no token uses. */
  text(id: number): string {
    return this.kind(id) === undefined ? '' : this.#texts.at(id);
  }

  /** The id of the token that is spelled like this, or −1. */
  id(text: string): number {
    if (text.length > this.longest) return -1;
    const { written } = encoder.encodeInto(text, this.#scratch);
    return this.idOfBytes(this.#scratch, 0, written);
  }

  /** The same for a spelling in UTF-8, `bytes[start … end)`. */
  idOfBytes(bytes: Uint8Array, start: number, end: number): number {
    return this.#slots[this.#slot(bytes, start, end)]! - 1;
  }

  /** The id of the token whose text is that of two others one behind the other, or −1. */
  idOfPair(left: number, right: number): number {
    const { starts, ends } = this.#texts;
    const leftLength = ends[left]! - starts[left]!;
    const rightLength = ends[right]! - starts[right]!;
    if (leftLength + rightLength > this.longest) return -1;
    this.#copy(left, 0);
    this.#copy(right, leftLength);
    return this.idOfBytes(this.#scratch, 0, leftLength + rightLength);
  }

  #copy(id: number, to: number): void {
    const { bytes, starts, ends } = this.#texts;
    const scratch = this.#scratch;
    const end = ends[id]!;
    // Tokens are short: a loop takes less than a view and a call.
    for (let at = starts[id]!, out = to; at < end; at++, out++) scratch[out] = bytes[at]!;
  }

  /** Where the token with these bytes is in the table, or would be. */
  #slot(bytes: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const { bytes: own, starts, ends } = this.#texts;
    // FNV-1a from a start of its own, and a last mixing because only the low bits choose the slot.
    let hash = this.#seed;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    hash ^= hash >>> 15;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = slots[slot]! - 1;
      if (id < 0) return slot;
      const from = starts[id]!;
      if (ends[id]! - from !== end - start) continue;
      let at = start;
      while (at < end && own[from + at - start] === bytes[at]) at++;
      if (at === end) return slot;
    }
  }
}
