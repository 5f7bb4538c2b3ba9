import type { Detokenizer } from './types.ts';

/** Bytes of one id as the detokenizer sees it; `undefined` for an id that is to be left out. */
export type BytesOf = (id: number) => Uint8Array | undefined;

/** Decodes UTF-8 that comes in arbitrary parts; a byte order mark is text like any other. */
export class StreamingDetokenizer implements Detokenizer {
  readonly #newReader: () => BytesOf;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #bytesOf: BytesOf;

  /** @param newReader called for each text, since what an id adds may depend on the ids before it */
  constructor(newReader: () => BytesOf) {
    this.#newReader = newReader;
    this.#bytesOf = newReader();
  }

  push(id: number): string {
    const bytes = this.#bytesOf(id);
    return bytes === undefined ? '' : this.#decoder.decode(bytes, { stream: true });
  }

  flush(): string {
    this.#bytesOf = this.#newReader();
    return this.#decoder.decode();
  }
}
