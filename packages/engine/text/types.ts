/** Ids of the tokens that frame a text; a vocabulary has some of them. */
export interface SpecialTokens {
  /** Begin of sequence. */
  readonly bos?: number;
  /** End of sequence. */
  readonly eos?: number;
  /** End of turn. */
  readonly eot?: number;
  /** End of message, where a tool call follows. */
  readonly eom?: number;
  readonly unk?: number;
  readonly pad?: number;
  readonly sep?: number;
  readonly mask?: number;
}

export interface EncodeOptions {
  /**
   * `parse`: the text of a special token becomes that token, except in what `inert` gave; `text`: it is spelled out like
   * any other text.
   */
  readonly special: 'parse' | 'text';
}

export interface DecodeOptions {
  /** Leaves out control tokens such as `<|im_end|>`; the default is to write their text. */
  readonly skipSpecial?: boolean;
  /**
   * The ids go on from other ids, so the space that some vocabularies put before a text is part of the text here.
   * Set it when the answer to a prompt is decoded on its own.
   */
  readonly continues?: boolean;
}

/** Turns ids into text one by one. The pieces, joined, are what `decode` gives for all ids at once. */
export interface Detokenizer {
  /**
   * Text that is complete now: bytes of an unfinished character are held back.
   * @throws LociError `bad-option` for an id outside the vocabulary.
   */
  push(id: number): string;
  /** The rest; bytes that never became a character appear as U+FFFD. The detokenizer is then as new. */
  flush(): string;
}

export interface Tokenizer {
  /** Number of ids, those of unused entries included. */
  readonly vocabularySize: number;
  readonly special: SpecialTokens;
  /** Ids after which an answer is complete. */
  readonly endOfGeneration: ReadonlySet<number>;
  /** Whether the model was trained with `special.bos` before every text. `encode` never adds it. */
  readonly addBos: boolean;

  /**
   * The ids of a text. Lone surrogates count as U+FFFD. Nothing is put before or after.
   * @throws LociError `too-long` when one run of the same kind of character has several million characters.
   */
  encode(text: string, options: EncodeOptions): Int32Array<ArrayBuffer>;
  /**
   * The text in a form in which `parse` finds no special tokens, also when it is joined with other inert texts: U+FDD0
   * stands before what would be one, and `parse` leaves it out again. Nothing else changes, but that a U+FDD0 of the text
   * itself becomes U+FFFD. For texts from elsewhere that are put into a prompt; chat templates get theirs in this form.
   */
  inert(text: string): string;
  /**
   * The text of ids. `decode(encode(text)) === text` except where a vocabulary itself forgets: a normalizer, a special
   * token that swallows the white space beside it, U+2581 in a SentencePiece vocabulary (it comes back as a space), or
   * a byte that a byte-level vocabulary lacks (SmolLM2 has no token for U+0013, for one; it is dropped).
   * @throws LociError `bad-option` for an id outside the vocabulary.
   */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  detokenizer(options?: DecodeOptions): Detokenizer;
  /**
   * The bytes that an id stands for, not necessarily whole characters. Do not write to them.
   * @throws LociError `bad-option` for an id outside the vocabulary.
   */
  bytes(id: number): Uint8Array<ArrayBuffer>;
  /** Whether an id is a control token, which ordinary text never yields. */
  isSpecial(id: number): boolean;
}
