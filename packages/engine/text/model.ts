import type { IdBuffer } from './id-buffer.ts';

/** The part of a tokenizer that knows its vocabulary's alphabet: everything but special tokens and streaming. */
export interface Model {
  /**
   * Where the model puts a space before a text: nowhere, at its very start, or at its start and after every special
   * token. Decoding takes it away again.
   */
  readonly spaceBefore: 'none' | 'first' | 'each';
  /** Appends the ids of a stretch of ordinary, well-formed text. `first`: no special token stands before it. */
  encode(text: string, first: boolean, out: IdBuffer): void;
  /** The bytes of an ordinary token, spelled as in the vocabulary. */
  bytes(token: string): Uint8Array<ArrayBuffer>;
}

/** Ids of one word: most words are one token, and a number is smaller than a list. */
type CachedIds = number | Int32Array;

const MAX_CACHED_WORDS = 1 << 16;
/** Longer words are rarely seen twice. */
const MAX_CACHED_LENGTH = 48;
/** V8 makes substrings from this length on views of the text they were cut from. */
const SLICE_LENGTH = 13;

/** Remembers the ids of words; when full it starts over, which costs less than keeping track of age. */
export class WordCache {
  readonly #ids = new Map<string, CachedIds>();

  get(word: string): CachedIds | undefined {
    return this.#ids.get(word);
  }

  set(word: string, ids: Int32Array, count: number): void {
    if (word.length > MAX_CACHED_LENGTH) return;
    if (this.#ids.size >= MAX_CACHED_WORDS) this.#ids.clear();
    // A view would keep the whole text alive for as long as the cache lives; building the word anew cuts it loose.
    const key = word.length < SLICE_LENGTH ? word : `${word} `.slice(0, word.length);
    this.#ids.set(key, count === 1 ? (ids[0] ?? 0) : ids.slice(0, count));
  }
}
