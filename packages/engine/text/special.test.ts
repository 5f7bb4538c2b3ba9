import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { INERT_MARK, SpecialMatcher, type SpecialToken } from './special.ts';

const token = (id: number, text: string, more: Partial<SpecialToken> = {}): SpecialToken => ({ id, text, ...more });
const byteLength = (text: string): number => new TextEncoder().encode(text).length;

/** llama.cpp's procedure: one token after the other, longest first, cuts every stretch of text that is left. */
function cutByEachToken(text: string, tokens: readonly SpecialToken[]): (string | number)[] {
  const order = tokens.toSorted((a, b) => byteLength(b.text) - byteLength(a.text) || a.id - b.id);
  let pieces: (string | number)[] = [text];
  for (const { id, text: wanted } of order) {
    pieces = pieces.flatMap((piece) =>
      typeof piece === 'number'
        ? [piece]
        : piece.split(wanted).flatMap((part, index) => (index === 0 ? [part] : [id, part])),
    );
  }
  return pieces.filter((piece) => piece !== '');
}

/** At every place the longest token that begins there, then on behind it. */
function cutFromTheLeft(text: string, tokens: readonly SpecialToken[]): (string | number)[] {
  const pieces: (string | number)[] = [];
  let plain = '';
  for (let at = 0; at < text.length; ) {
    const here = tokens.filter((candidate) => text.startsWith(candidate.text, at));
    const longest = here.toSorted((a, b) => b.text.length - a.text.length)[0];
    if (longest === undefined) {
      plain += text[at++];
      continue;
    }
    pieces.push(plain, longest.id);
    plain = '';
    at += longest.text.length;
  }
  return [...pieces, plain].filter((piece) => piece !== '');
}

const letter = fc.constantFrom('a', 'b', '▁', '😀');
const vocabulary = fc
  .uniqueArray(fc.string({ unit: letter, minLength: 1, maxLength: 4 }), { maxLength: 8 })
  .map((texts) => texts.map((text, id) => token(id, text)));
const text = fc.string({ unit: letter, maxLength: 30 });

describe('overlapping tokens', () => {
  test.prop([vocabulary, text], { numRuns: 500 })(
    'longest-first agrees with cutting token by token',
    (tokens, input) => {
      expect(new SpecialMatcher(tokens, 'longest-first').split(input)).toEqual(cutByEachToken(input, tokens));
    },
  );

  test.prop([vocabulary, text], { numRuns: 500 })('leftmost agrees with reading from the left', (tokens, input) => {
    expect(new SpecialMatcher(tokens, 'leftmost').split(input)).toEqual(cutFromTheLeft(input, tokens));
  });

  test('the rules differ where a long token begins inside a short one', () => {
    const tokens = [token(1, 'ab'), token(2, 'bcd')];
    expect(new SpecialMatcher(tokens, 'longest-first').split('abcd')).toEqual(['a', 2]);
    expect(new SpecialMatcher(tokens, 'leftmost').split('abcd')).toEqual([1, 'cd']);
  });

  test('a million characters of runs take a second or two', () => {
    const runs = Array.from({ length: 31 }, (_, length) => token(length, '\n'.repeat(length + 1)));
    const started = performance.now();
    expect(new SpecialMatcher(runs, 'longest-first').split('\n'.repeat(1_000_000))).toHaveLength(32_259);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('white space and words around a token', () => {
  test('a token may swallow the white space beside it', () => {
    const tokens = [token(1, '<l>', { swallowLeft: true }), token(2, '<r>', { swallowRight: true })];
    expect(new SpecialMatcher(tokens, 'leftmost').split('a \u2003<l> b <r>\n c')).toEqual(['a', 1, ' b ', 2, 'c']);
    expect(new SpecialMatcher(tokens, 'longest-first').split('b <r>\n <r>c')).toEqual(['b ', 2, 2, 'c']);
  });

  test('white space is swallowed only once', () => {
    const tokens = [token(1, '<r>', { swallowRight: true }), token(2, '<l>', { swallowLeft: true })];
    expect(new SpecialMatcher(tokens, 'leftmost').split('<r> <l>')).toEqual([1, 2]);
  });

  test('a whole word has no letter beside it', () => {
    const matcher = new SpecialMatcher([token(1, 'cat', { wholeWord: true })], 'leftmost');
    expect(matcher.split('cat concat cats cat. 𝒳cat')).toEqual([1, ' concat cats ', 1, '. 𝒳cat']);
  });
});

describe('inert texts', () => {
  const spaced = fc.string({ unit: fc.oneof(letter, fc.constant(' ')), maxLength: 12 });

  test.prop([vocabulary, fc.array(spaced, { maxLength: 6 }), fc.boolean()], { numRuns: 1000 })(
    'hold no token, alone or joined, trimmed or not, and are the same text without their marks',
    (tokens, texts, trims) => {
      for (const rule of ['longest-first', 'leftmost'] as const) {
        const matcher = new SpecialMatcher(tokens, rule);
        const inert = texts.map((part) => matcher.inert(part));
        expect(inert.join('').replaceAll(INERT_MARK, '')).toBe(texts.join(''));
        const pieces = matcher.split(inert.map((part) => (trims ? part.trim() : part)).join(''));
        expect(pieces.filter((piece) => typeof piece === 'number')).toEqual([]);
      }
    },
  );

  test('stay free of marks where no token is near', () => {
    const matcher = new SpecialMatcher([token(1, '<|end|>')], 'leftmost');
    expect(matcher.inert('a < b <| c |> d')).toBe('a < b <| c |> d');
    expect(matcher.inert('<|end|>, <|en ')).toBe(`${INERT_MARK}<|end|>, ${INERT_MARK}<|en `);
  });
});

test('without tokens, or text, nothing is cut', () => {
  expect(new SpecialMatcher([], 'longest-first').split('text')).toEqual(['text']);
  expect(new SpecialMatcher([token(1, 'a')], 'leftmost').split('')).toEqual([]);
  expect(new SpecialMatcher([token(1, '')], 'leftmost').split('a')).toEqual(['a']);
});
