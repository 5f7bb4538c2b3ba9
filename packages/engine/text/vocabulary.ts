import { LociError } from '../errors.ts';

/** What a token is for; GGUF's `tokenizer.ggml.token_type` has the same kinds. */
export type TokenKind = 'normal' | 'unknown' | 'control' | 'user-defined' | 'unused' | 'byte';

/** One entry; its id is its index. `text` is as the file spells it, in whatever alphabet the model uses. */
export interface Token {
  readonly text: string;
  readonly kind: TokenKind;
}

/** More would not fit the packed keys of the merge queue. */
export const MAX_TOKENS = 2 ** 21;

/** The tokens of a model in both directions. */
export class Vocabulary {
  readonly tokens: readonly (Token | undefined)[];
  readonly #ids = new Map<string, number>();

  /**
   * @param tokens by id; ids that no token uses are `undefined`
   * @param file what error messages call the source
   * @throws LociError `bad-file` when there are no tokens, too many, or two with one text.
   */
  constructor(tokens: readonly (Token | undefined)[], file: string) {
    if (tokens.length === 0) throw new LociError('bad-file', `${file}: the vocabulary is empty`);
    if (tokens.length > MAX_TOKENS) {
      throw new LociError(
        'bad-file',
        `${file}: ${tokens.length} tokens, more than the ${MAX_TOKENS} a vocabulary may have`,
      );
    }
    this.tokens = tokens;
    for (const [id, token] of tokens.entries()) {
      if (token === undefined) continue;
      const other = this.#ids.get(token.text);
      if (other !== undefined) {
        throw new LociError('bad-file', `${file}: tokens ${other} and ${id} are both ${JSON.stringify(token.text)}`);
      }
      this.#ids.set(token.text, id);
    }
  }

  get size(): number {
    return this.tokens.length;
  }

  /** The id of the token that is spelled like this, or −1. */
  id(text: string): number {
    return this.#ids.get(text) ?? -1;
  }
}
