import { LociError } from '../errors.ts';
import type { StringTable } from '../format/string-table.ts';
import type { IdBuffer } from './id-buffer.ts';
import { Merger, type MergeTable } from './merge.ts';
import { type Model, WordCache } from './model.ts';
import { MAX_ORDER } from './ordered-queue.ts';
import { PairTable } from './pair-table.ts';
import { forEachWord, type Step } from './pretokenize.ts';
import { finished, type Steps } from './steps.ts';
import type { Vocabulary } from './vocabulary.ts';

/**
 * The alphabet of GPT-2: printable Latin-1 bytes are themselves, the other 68 are U+0100 onwards, so that a vocabulary
 * of byte strings can be written as text without blanks (Radford et al. 2019, `bytes_to_unicode`).
 */
const CHARACTER_OF_BYTE: readonly string[] = (() => {
  const characters: string[] = [];
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    characters.push(String.fromCharCode(printable ? byte : next++));
  }
  return characters;
})();
const BYTE_OF_CHARACTER = new Map(CHARACTER_OF_BYTE.map((character, byte) => [character, byte]));

const encoder = new TextEncoder();

/** The bytes that a token of a byte-level vocabulary spells; characters outside the alphabet stand for themselves. */
export function bytesOfSpelling(spelling: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const character of spelling) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) bytes.push(...encoder.encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** The spellings of both halves of each merge, in order of rank. */
export interface Merges {
  readonly left: StringTable;
  readonly right: StringTable;
}

const mergesAtATime = 4096;

/** Looks merges up by the ids of their halves. */
export class RankedMerges implements MergeTable {
  readonly rank: Int32Array;
  readonly result: Int32Array;
  readonly #table: PairTable;

  private constructor(count: number) {
    this.rank = new Int32Array(count).map((_, index) => index);
    this.result = new Int32Array(count);
    this.#table = new PairTable(count);
  }

  /** @throws LociError `bad-file` when a half or the whole of a merge is not in the vocabulary, or there are too many. */
  static of(vocabulary: Vocabulary, merges: Merges, file: string): RankedMerges {
    return finished(RankedMerges.steps(vocabulary, merges, file));
  }

  /** The same in steps of some milliseconds. */
  static *steps(vocabulary: Vocabulary, { left, right }: Merges, file: string): Steps<RankedMerges> {
    const { length } = left;
    if (length > MAX_ORDER) {
      throw new LociError('bad-file', `${file}: ${length} merges, more than the ${MAX_ORDER} a vocabulary may have`);
    }
    const ranked = new RankedMerges(length);
    for (let from = 0; from < length; from += mergesAtATime) {
      ranked.#add(vocabulary, { left, right }, from, Math.min(from + mergesAtATime, length), file);
      yield;
    }
    return ranked;
  }

  /** Adds merges `from … to`. By itself, since V8 is slow to compile a loop in a generator. */
  #add(vocabulary: Vocabulary, { left, right }: Merges, from: number, to: number, file: string): void {
    for (let index = from; index < to; index++) {
      const leftId = vocabulary.idOfBytes(left.bytes, left.starts[index]!, left.ends[index]!);
      const rightId = vocabulary.idOfBytes(right.bytes, right.starts[index]!, right.ends[index]!);
      const result = leftId < 0 || rightId < 0 ? -1 : vocabulary.idOfPair(leftId, rightId);
      if (result < 0) {
        const [leftText, rightText] = [left.at(index), right.at(index)];
        const missing = leftId < 0 ? leftText : rightId < 0 ? rightText : leftText + rightText;
        const reason = `merge ${index} needs the token ${JSON.stringify(missing)}, which is not in the vocabulary`;
        throw new LociError('bad-file', `${file}: ${reason}`);
      }
      this.result[index] = result;
      if (this.#table.get(leftId, rightId) < 0) this.#table.set(leftId, rightId, index);
    }
  }

  find(left: number, right: number): number {
    return this.#table.get(left, right);
  }
}

export interface ByteLevelOptions {
  readonly steps: readonly Step[];
  /** A word that is a token is that token, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
  /** Applied to text before it is cut into words. */
  readonly normalize: (text: string) => string;
}

/** Byte-level BPE: words by regular expressions, each word merged from its UTF-8 bytes. */
export class ByteLevelModel implements Model {
  readonly spaceBefore = 'none';
  readonly #vocabulary: Vocabulary;
  readonly #options: ByteLevelOptions;
  readonly #merger: Merger;
  readonly #cache = new WordCache();
  /** [256] Ids of single bytes; −1 for a byte the vocabulary cannot write, which is then dropped. */
  readonly #byteIds: Int32Array;
  #bytes = new Uint8Array(1024);
  #symbols = new Int32Array(1024);

  constructor(vocabulary: Vocabulary, merges: RankedMerges, options: ByteLevelOptions) {
    this.#vocabulary = vocabulary;
    this.#options = options;
    this.#merger = new Merger(merges);
    this.#byteIds = Int32Array.from(CHARACTER_OF_BYTE, (character) => vocabulary.id(character));
  }

  encode(text: string, _first: boolean, out: IdBuffer): void {
    forEachWord(this.#options.normalize(text), this.#options.steps, (word) => this.#encodeWord(word, out));
  }

  bytes(token: string): Uint8Array<ArrayBuffer> {
    return bytesOfSpelling(token);
  }

  #encodeWord(word: string, out: IdBuffer): void {
    const known = this.#cache.get(word);
    if (typeof known === 'number') {
      out.push(known);
    } else if (known !== undefined) {
      out.append(known, known.length);
    } else {
      const count = this.#merge(word);
      this.#cache.set(word, this.#symbols, count);
      out.append(this.#symbols, count);
    }
  }

  /** Leaves the ids of a word at the start of `#symbols` and returns their number. */
  #merge(word: string): number {
    // UTF-8 takes at most three bytes per UTF-16 unit.
    const room = word.length * 3;
    if (room > this.#bytes.length) {
      this.#bytes = new Uint8Array(room);
      this.#symbols = new Int32Array(room);
    }
    const { written } = encoder.encodeInto(word, this.#bytes);
    if (this.#options.ignoreMerges && written <= this.#vocabulary.longest) {
      let spelling = '';
      for (let i = 0; i < written; i++) spelling += CHARACTER_OF_BYTE[this.#bytes[i] ?? 0];
      const id = this.#vocabulary.id(spelling);
      if (id >= 0) {
        this.#symbols[0] = id;
        return 1;
      }
    }
    let count = 0;
    for (let i = 0; i < written; i++) {
      const id = this.#byteIds[this.#bytes[i] ?? 0] ?? -1;
      if (id >= 0) this.#symbols[count++] = id;
    }
    return this.#merger.merge(this.#symbols, count);
  }
}
