import { OrderedQueue, orderOf, positionOf } from './ordered-queue.ts';
import { PairTable } from './pair-table.ts';

/** A token that is found in raw text, before anything else looks at it. */
export interface SpecialToken {
  readonly id: number;
  readonly text: string;
  /** White space to the left belongs to the token. */
  readonly swallowLeft?: boolean;
  /** White space to the right belongs to the token. */
  readonly swallowRight?: boolean;
  /** Found only where no letter, digit or underscore touches it. */
  readonly wholeWord?: boolean;
}

/**
 * What happens where tokens overlap. `longest-first` gives the longest token of the whole text its place first (as
 * llama.cpp does); `leftmost` takes the longest at the first place where any begins (as Hugging Face tokenizers do).
 */
export type OverlapRule = 'longest-first' | 'leftmost';

/**
 * Says that what begins behind it is no token. U+FDD0 is a noncharacter, meant for such use inside a program (Unicode
 * Standard, section 23.7), and unlike a lone surrogate it comes through JSON as it is.
 */
export const INERT_MARK = '\ufdd0';
const INERT_MARK_CODE = 0xfdd0;

const WORD_CHARACTER = /[\p{L}\p{M}\p{N}_]/u;
const SPACE = /\p{White_Space}/u;
const utf8Length = (text: string): number => new TextEncoder().encode(text).length;

/** Finds special tokens: a trie over UTF-16 units, so that thousands of tokens cost no more than one. */
export class SpecialMatcher {
  /** Longest first (in bytes of UTF-8), then by id: the order in which tokens claim their places. */
  readonly #tokens: readonly SpecialToken[];
  readonly #rule: OverlapRule;
  /** (node, UTF-16 unit) → node; node 0 is the root. */
  readonly #edges = new PairTable(256);
  /** By node: index into `#tokens`, or −1. */
  readonly #tokenAt: number[] = [-1];
  /** By token index: the longest token that is a true prefix of it, or −1. */
  readonly #shorter: number[] = [];
  readonly #startsToken = new Uint8Array(0x10000);

  constructor(tokens: readonly SpecialToken[], rule: OverlapRule) {
    const usable = tokens.filter((token) => token.text !== '');
    const lengths = new Map(usable.map((token) => [token, utf8Length(token.text)]));
    this.#tokens = usable.sort((a, b) => (lengths.get(b) ?? 0) - (lengths.get(a) ?? 0) || a.id - b.id);
    this.#rule = rule;
    for (const [index, token] of this.#tokens.entries()) this.#tokenAt[this.#insert(token.text)] = index;
    for (const token of this.#tokens) {
      let longest = -1;
      this.#walk(token.text, 0, (index) => {
        if (this.#tokens[index] !== token) longest = index;
      });
      this.#shorter.push(longest);
    }
  }

  /** The text cut into ordinary stretches (strings, never empty) and special tokens (ids). Marks stay where they are. */
  split(text: string): (string | number)[] {
    const found = this.#rule === 'leftmost' ? this.#leftmost(text) : this.#longestFirst(text);
    const pieces: (string | number)[] = [];
    let end = 0;
    for (const { from, to, id } of found) {
      if (from > end) pieces.push(text.slice(end, from));
      pieces.push(id);
      end = to;
    }
    if (end < text.length) pieces.push(text.slice(end));
    return pieces;
  }

  /**
   * The text with a mark before everything that is a token, or could become one with what is written behind the text,
   * white space at its end cut off or not. Texts made inert by themselves hold no token when they are joined either.
   */
  inert(text: string): string {
    const trimmed = text.trimEnd().length;
    let marked = '';
    let end = 0;
    for (let at = 0; at < text.length; at++) {
      if (!this.#mayBegin(text, at, trimmed)) continue;
      marked += text.slice(end, at) + INERT_MARK;
      end = at;
    }
    return marked + text.slice(end);
  }

  /** Whether a token begins at `position`, or a part of one that the end of the text, trimmed or not, cuts off. */
  #mayBegin(text: string, position: number, trimmed: number): boolean {
    if (this.#startsToken[text.charCodeAt(position)] === 0) return false;
    let node = 0;
    for (let i = position; i < text.length; i++) {
      node = this.#edges.get(node, text.charCodeAt(i));
      if (node < 0) return i > position && i >= trimmed;
      if ((this.#tokenAt[node] ?? -1) >= 0) return true;
    }
    return true;
  }

  #insert(text: string): number {
    this.#startsToken[text.charCodeAt(0)] = 1;
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let child = this.#edges.get(node, unit);
      if (child < 0) {
        child = this.#tokenAt.push(-1) - 1;
        this.#edges.set(node, unit, child);
      }
      node = child;
    }
    return node;
  }

  /** Calls `visit` with every token that begins at `position`, short ones first. */
  #walk(text: string, position: number, visit: (index: number) => void): void {
    let node = 0;
    for (let i = position; i < text.length; i++) {
      node = this.#edges.get(node, text.charCodeAt(i));
      if (node < 0) return;
      const index = this.#tokenAt[node] ?? -1;
      if (index >= 0) visit(index);
    }
  }

  /** Index of the longest token that begins at `position`, or −1. */
  #longestAt(text: string, position: number): number {
    if (this.#startsToken[text.charCodeAt(position)] === 0) return -1;
    if (text.charCodeAt(position - 1) === INERT_MARK_CODE) return -1;
    let longest = -1;
    this.#walk(text, position, (index) => {
      longest = index;
    });
    return longest;
  }

  #leftmost(text: string): Place[] {
    const places: Place[] = [];
    let end = 0;
    for (let at = 0; at < text.length; at++) {
      const token = this.#tokens[this.#longestAt(text, at)];
      if (token === undefined) continue;
      let from = at;
      let to = at + token.text.length;
      at = to - 1;
      if (token.wholeWord && (touchesWord(text, from - 1) || touchesWord(text, to))) continue;
      if (token.swallowLeft) while (from > end && SPACE.test(text[from - 1] ?? '')) from--;
      if (token.swallowRight) while (to < text.length && SPACE.test(text[to] ?? '')) to++;
      places.push({ from, to, id: token.id });
      end = to;
      at = to - 1;
    }
    return places;
  }

  #longestFirst(text: string): Place[] {
    const queue = new OrderedQueue();
    for (let at = 0; at < text.length; at++) {
      const index = this.#longestAt(text, at);
      if (index >= 0) queue.push(index, at);
    }
    if (queue.size === 0) return [];
    const taken = new Uint8Array(text.length);
    const places: Place[] = [];
    while (queue.size > 0) {
      const key = queue.pop();
      const from = positionOf(key);
      const token = this.#tokens[orderOf(key)];
      if (token === undefined || taken[from] === 1) continue;
      let to = from + token.text.length;
      if (taken.subarray(from, to).includes(1)) {
        // Something longer begins inside; a shorter token may still fit before it, in its own turn.
        const shorter = this.#shorter[orderOf(key)] ?? -1;
        if (shorter >= 0) queue.push(shorter, from);
        continue;
      }
      if (token.swallowRight) while (to < text.length && taken[to] === 0 && isAsciiSpace(text.charCodeAt(to))) to++;
      taken.fill(1, from, to);
      places.push({ from, to, id: token.id });
    }
    return places.sort((a, b) => a.from - b.from);
  }
}

/** A special token and the stretch of text, in UTF-16 units, that it stands for. */
interface Place {
  readonly from: number;
  readonly to: number;
  readonly id: number;
}

function touchesWord(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  const isTrail = unit >= 0xdc00 && unit < 0xe000;
  return (
    at >= 0 &&
    at < text.length &&
    WORD_CHARACTER.test(String.fromCodePoint(text.codePointAt(isTrail ? at - 1 : at) ?? 0))
  );
}

function isAsciiSpace(unit: number): boolean {
  return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d);
}
