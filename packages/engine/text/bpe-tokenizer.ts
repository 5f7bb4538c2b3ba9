import { LociError } from '../errors.ts';
import { type BytesOf, StreamingDetokenizer } from './detokenizer.ts';
import { IdBuffer } from './id-buffer.ts';
import type { Model } from './model.ts';
import { INERT_MARK, type OverlapRule, SpecialMatcher, type SpecialToken } from './special.ts';
import type { DecodeOptions, Detokenizer, EncodeOptions, SpecialTokens, Tokenizer } from './types.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Everything a tokenizer is made of; the builders read it from a file. */
export interface TokenizerParts {
  readonly vocabulary: Vocabulary;
  readonly model: Model;
  /** Tokens that are found in raw text; those of kind `control` and `unknown` only where special tokens are parsed. */
  readonly matched: readonly SpecialToken[];
  readonly overlap: OverlapRule;
  readonly special: SpecialTokens;
  readonly endOfGeneration: ReadonlySet<number>;
  readonly addBos: boolean;
}

const SPACE = 0x20;
const NO_BYTES = new Uint8Array();
const encoder = new TextEncoder();

/** A tokenizer over byte-pair encoding, byte-level or SentencePiece. */
export class BpeTokenizer implements Tokenizer {
  readonly special: SpecialTokens;
  readonly endOfGeneration: ReadonlySet<number>;
  readonly addBos: boolean;
  readonly #vocabulary: Vocabulary;
  readonly #model: Model;
  readonly #matched: ReadonlySet<number>;
  readonly #matchers: Readonly<Record<EncodeOptions['special'], SpecialMatcher>>;
  readonly #controls: SpecialMatcher;
  /** By id, filled when first asked for. */
  readonly #bytes: (Uint8Array<ArrayBuffer> | undefined)[];

  constructor(parts: TokenizerParts) {
    this.#vocabulary = parts.vocabulary;
    this.#model = parts.model;
    this.#bytes = new Array<undefined>(parts.vocabulary.size);
    this.special = parts.special;
    this.endOfGeneration = parts.endOfGeneration;
    this.addBos = parts.addBos;
    this.#matched = new Set(parts.matched.map((token) => token.id));
    this.#matchers = {
      parse: new SpecialMatcher(parts.matched, parts.overlap),
      text: new SpecialMatcher(
        parts.matched.filter((token) => !this.isSpecial(token.id)),
        parts.overlap,
      ),
    };
    this.#controls = new SpecialMatcher(
      parts.matched.filter((token) => this.isSpecial(token.id)),
      parts.overlap,
    );
  }

  get vocabularySize(): number {
    return this.#vocabulary.size;
  }

  encode(text: string, options: EncodeOptions): Int32Array<ArrayBuffer> {
    const out = new IdBuffer();
    let first = true;
    try {
      for (const piece of this.#pieces(text.toWellFormed(), options.special)) {
        if (typeof piece === 'number') out.push(piece);
        else this.#model.encode(piece, first, out);
        first = false;
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Regular expressions keep a stack, and a match of millions of characters overflows it.
      throw new LociError(
        'too-long',
        `a text of ${text.length} characters has a run without a break that is too long to tokenize; encode it in parts`,
        { cause: error },
      );
    }
    return out.toArray();
  }

  inert(text: string): string {
    return this.#controls.inert(text.replaceAll(INERT_MARK, '\ufffd'));
  }

  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const bytesOf = this.#reader(options);
    let bytes = new Uint8Array(256);
    let length = 0;
    for (const id of ids) {
      const next = bytesOf(id) ?? NO_BYTES;
      if (length + next.length > bytes.length) {
        const larger = new Uint8Array(2 * (length + next.length));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(next, length);
      length += next.length;
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, length));
  }

  detokenizer(options: DecodeOptions = {}): Detokenizer {
    return new StreamingDetokenizer(() => this.#reader(options));
  }

  bytes(id: number): Uint8Array<ArrayBuffer> {
    const known = this.#bytes[id];
    if (known !== undefined) return known;
    if (!(Number.isInteger(id) && id >= 0 && id < this.vocabularySize)) {
      throw new LociError(
        'bad-option',
        `${id} is not a token id; the vocabulary has ids 0 to ${this.vocabularySize - 1}`,
      );
    }
    const bytes = this.#spell(id);
    this.#bytes[id] = bytes;
    return bytes;
  }

  isSpecial(id: number): boolean {
    const kind = this.#vocabulary.kind(id);
    return kind === 'control' || kind === 'unknown';
  }

  /** Ordinary stretches and special tokens; what is marked as inert is read like any other text, without the marks. */
  #pieces(text: string, special: EncodeOptions['special']): readonly (string | number)[] {
    const pieces = this.#matchers[special].split(text);
    if (special === 'text' || !text.includes(INERT_MARK)) return pieces;
    return pieces.flatMap((piece) =>
      typeof piece === 'string' && piece.includes(INERT_MARK)
        ? this.#matchers.text.split(piece.replaceAll(INERT_MARK, ''))
        : [piece],
    );
  }

  /** A function that gives the bytes each id adds to a text, called in the order of the text. */
  #reader(options: DecodeOptions): BytesOf {
    const { spaceBefore } = this.#model;
    let dropSpace = spaceBefore !== 'none' && options.continues !== true;
    return (id) => {
      const bytes = this.bytes(id);
      const isMatched = this.#matched.has(id);
      const withoutSpace = dropSpace && !isMatched && bytes[0] === SPACE;
      dropSpace = isMatched && spaceBefore === 'each';
      if (options.skipSpecial === true && this.isSpecial(id)) return undefined;
      return withoutSpace ? bytes.subarray(1) : bytes;
    };
  }

  #spell(id: number): Uint8Array<ArrayBuffer> {
    const text = this.#vocabulary.text(id);
    switch (this.#vocabulary.kind(id)) {
      case undefined:
        return NO_BYTES;
      case 'byte':
        return Uint8Array.of(Number.parseInt(text.slice(3, 5), 16));
      case 'control':
      case 'unknown':
      case 'user-defined':
        return encoder.encode(text);
      case 'normal':
      case 'unused':
        return this.#model.bytes(text);
    }
  }
}
