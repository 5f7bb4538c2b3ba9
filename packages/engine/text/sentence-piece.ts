import type { IdBuffer } from './id-buffer.ts';
import { Merger, type MergeTable } from './merge.ts';
import { type Model, WordCache } from './model.ts';
import { PairTable } from './pair-table.ts';
import { forEachWord, type Step } from './pretokenize.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Stands for a space in SentencePiece vocabularies (U+2581). */
export const SPACE_MARK = '▁';
const SPACE_MARK_CODE = 0x2581;

const encoder = new TextEncoder();

/**
 * SentencePiece's BPE: any two symbols merge whose joined text is a token, the one with the best score first. Pairs are
 * looked up as text once and then remembered by id.
 */
export class ScoredMerges implements MergeTable {
  /** By token: 0 for the best score, equal for equal scores. */
  readonly rank: Int32Array;
  readonly result: Int32Array;
  readonly #vocabulary: Vocabulary;
  readonly #known = new PairTable(1 << 12);
  static readonly #maxKnown = 1 << 20;

  /** @param scores by token id */
  constructor(vocabulary: Vocabulary, scores: Float32Array) {
    this.#vocabulary = vocabulary;
    this.rank = ranksOf(scores);
    this.result = Int32Array.from(scores.keys());
  }

  find(left: number, right: number): number {
    const known = this.#known.get(left, right);
    if (known !== PairTable.absent) return known;
    const vocabulary = this.#vocabulary;
    const id =
      left < vocabulary.size && right < vocabulary.size
        ? vocabulary.idOfPair(left, right)
        : vocabulary.id(symbolText(vocabulary, left) + symbolText(vocabulary, right));
    if (this.#known.size >= ScoredMerges.#maxKnown) this.#known.clear();
    this.#known.set(left, right, id);
    return id;
  }
}

/** 0 for the highest score, 1 for the next distinct one, and so on. A `Map` of all scores would take ten times as long. */
function ranksOf(scores: Float32Array): Int32Array {
  const sorted = scores.toSorted();
  const distinct = sorted.filter((score, index) => index === 0 || score !== sorted[index - 1]);
  return Int32Array.from(scores, (score) => {
    let low = 0;
    let high = distinct.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((distinct[middle] ?? 0) < score) low = middle + 1;
      else high = middle;
    }
    return distinct.length - 1 - low;
  });
}

/** A symbol is a token id, or, for a character that is no token, its code point above all token ids. */
function symbolText(vocabulary: Vocabulary, symbol: number): string {
  return symbol < vocabulary.size ? vocabulary.text(symbol) : String.fromCodePoint(symbol - vocabulary.size);
}

/**
 * Which characters stand side by side in some token. Between two that never do no merge can happen, whatever stands
 * around them, so a text may be cut there and its parts encoded one by one.
 */
class Neighbours {
  /** ASCII and the space mark, which make up most of most texts. */
  readonly #common = new Uint8Array(129 * 129);
  readonly #others = new PairTable(1 << 12);

  constructor(vocabulary: Vocabulary) {
    for (let id = 0; id < vocabulary.size; id++) {
      let left = -1;
      for (const character of vocabulary.text(id)) {
        const right = character.codePointAt(0) ?? 0;
        if (left >= 0) this.#add(left, right);
        left = right;
      }
    }
  }

  has(left: number, right: number): boolean {
    const a = commonIndex(left);
    const b = commonIndex(right);
    return a >= 0 && b >= 0 ? this.#common[a * 129 + b] === 1 : this.#others.get(left, right) === 1;
  }

  #add(left: number, right: number): void {
    const a = commonIndex(left);
    const b = commonIndex(right);
    if (a >= 0 && b >= 0) this.#common[a * 129 + b] = 1;
    else this.#others.set(left, right, 1);
  }
}

function commonIndex(codePoint: number): number {
  return codePoint < 128 ? codePoint : codePoint === SPACE_MARK_CODE ? 128 : -1;
}

export interface SentencePieceOptions {
  readonly spaceBefore: Model['spaceBefore'];
  /** Applied to text first; it also writes spaces the way the vocabulary does. `first` as for `Model.encode`. */
  readonly prepare: (text: string, first: boolean) => string;
  readonly steps: readonly Step[];
  /** A piece that is a token is that token, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
  /** [256] Ids of the tokens `<0x00>` … `<0xFF>` that spell characters the vocabulary lacks, or undefined. */
  readonly byteIds: Int32Array | undefined;
  /** Stands for a character that cannot be spelled; without it the character is dropped. */
  readonly unknown: number | undefined;
  /** Several unknown characters in a row become one token; only without `byteIds`. */
  readonly fuseUnknown: boolean;
}

/** BPE over characters, with the bytes of characters outside the vocabulary as a last resort. */
export class SentencePieceModel implements Model {
  readonly spaceBefore: Model['spaceBefore'];
  readonly #vocabulary: Vocabulary;
  readonly #options: SentencePieceOptions;
  readonly #merger: Merger;
  readonly #neighbours: Neighbours;
  readonly #cache = new WordCache();
  #symbols = new Int32Array(1024);
  #ids = new Int32Array(1024);

  constructor(vocabulary: Vocabulary, merges: MergeTable, options: SentencePieceOptions) {
    this.spaceBefore = options.spaceBefore;
    this.#vocabulary = vocabulary;
    this.#options = options;
    this.#merger = new Merger(merges);
    this.#neighbours = new Neighbours(vocabulary);
  }

  encode(text: string, first: boolean, out: IdBuffer): void {
    forEachWord(this.#options.prepare(text, first), this.#options.steps, (piece) => {
      const whole = this.#options.ignoreMerges ? this.#vocabulary.id(piece) : -1;
      if (whole >= 0) out.push(whole);
      else this.#encodePiece(piece, out);
    });
  }

  bytes(token: string): Uint8Array<ArrayBuffer> {
    return encoder.encode(token.replaceAll(SPACE_MARK, ' '));
  }

  #encodePiece(piece: string, out: IdBuffer): void {
    let start = 0;
    let left = -1;
    for (let at = 0; at < piece.length; ) {
      const right = piece.codePointAt(at) ?? 0;
      if (left >= 0 && this.#canCut(left, right)) {
        this.#encodePart(piece.slice(start, at), out);
        start = at;
      }
      left = right;
      at += right > 0xffff ? 2 : 1;
    }
    if (start < piece.length) this.#encodePart(piece.slice(start), out);
  }

  #canCut(left: number, right: number): boolean {
    // Unknown characters in a row must stay together while they are to become one token.
    if (this.#options.fuseUnknown && this.#isUnknown(left) && this.#isUnknown(right)) return false;
    return !this.#neighbours.has(left, right);
  }

  #isUnknown(codePoint: number): boolean {
    return this.#vocabulary.id(String.fromCodePoint(codePoint)) < 0;
  }

  #encodePart(part: string, out: IdBuffer): void {
    const known = this.#cache.get(part);
    if (typeof known === 'number') {
      out.push(known);
    } else if (known !== undefined) {
      out.append(known, known.length);
    } else {
      const count = this.#merge(part);
      this.#cache.set(part, this.#ids, count);
      out.append(this.#ids, count);
    }
  }

  /** Leaves the ids of a part at the start of `#ids` and returns their number. */
  #merge(part: string): number {
    // A character of one UTF-16 unit can take three byte tokens.
    if (part.length * 3 > this.#ids.length) {
      this.#symbols = new Int32Array(part.length);
      this.#ids = new Int32Array(part.length * 3);
    }
    const { size } = this.#vocabulary;
    const symbols = this.#symbols;
    let count = 0;
    for (const character of part) {
      const id = this.#vocabulary.id(character);
      symbols[count++] = id >= 0 ? id : size + (character.codePointAt(0) ?? 0);
    }
    count = this.#merger.merge(symbols, count);

    let written = 0;
    let afterUnknown = false;
    for (let i = 0; i < count; i++) {
      const symbol = symbols[i] ?? 0;
      const isUnknown = symbol >= size;
      if (!isUnknown) this.#ids[written++] = symbol;
      else if (!(this.#options.fuseUnknown && afterUnknown)) written = this.#spell(symbol - size, written);
      afterUnknown = isUnknown;
    }
    return written;
  }

  /** Writes a character that is no token at `#ids[at …]` and returns where the next id goes. */
  #spell(codePoint: number, at: number): number {
    const { byteIds, unknown } = this.#options;
    if (byteIds !== undefined) {
      for (const byte of encoder.encode(String.fromCodePoint(codePoint))) this.#ids[at++] = byteIds[byte] ?? 0;
    } else if (unknown !== undefined) {
      this.#ids[at++] = unknown;
    }
    return at;
  }
}
