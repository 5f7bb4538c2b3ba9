import { describe, expect, test } from 'vitest';
import { literalRegex, translateRegex } from './regex.ts';

const matches = (pattern: string, text: string): string[] => Array.from(text.match(translateRegex(pattern)) ?? []);

describe('an Oniguruma pattern means the same here', () => {
  test.each([
    ['\\s is White_Space: with U+0085, without U+FEFF', '\\s+', 'a\u0085\u00a0b\ufeffc', ['\u0085\u00a0']],
    ['[^\\S] is White_Space', '[^\\S]', 'a\u0085\ufeff', ['\u0085']],
    ['\\d is any decimal digit', '\\d+', '1٣½', ['1٣']],
    ['\\w takes marks and connectors', '\\w+', 'e\u0301_x-y', ['e\u0301_x', 'y']],
    ['[\\w-] takes a hyphen', '[\\w-]+', 'a-b c', ['a-b', 'c']],
    ['\\W is the rest', '\\W+', 'a, b', [', ']],
    ['\\h is a hexadecimal digit', '\\h+', 'xFg0', ['F', '0']],
    ['(?i:) takes both cases and the long s', "(?i:'s|'ll)", "'S 'ſ 'Ll 't", ["'S", "'ſ", "'Ll"]],
    ['a class in (?i:) takes both cases', '(?i:[sd]x)', 'SX dx ſX', ['SX', 'dx', 'ſX']],
    ['$ is the end of any line', 'a$', 'a\nba', ['a', 'a']],
    ['^ is the start of any line', '^a', 'a\nab\nba', ['a', 'a']],
    ['. stops at line feed only', '.+', 'a\u2028b\nc', ['a\u2028b', 'c']],
    ['a script has its own name', '\\p{Han}+', 'a漢字かな', ['漢字']],
    ['\\p{^L} is the complement', '\\p{^L}+', 'a1-b', ['1-']],
    ['code points in hexadecimal', '[\\u3040-\\u309f]|\\x{1F600}|\\x41', 'Aあ😀', ['A', 'あ', '😀']],
    ['possessive quantifiers give nothing back', 'a++a|b', 'aaab', ['b']],
    ['and are greedy', '[^\\r\\n\\p{L}]?+\\p{L}+', '!ab?c', ['!ab', '?c']],
    ['a bracket that opens a class is literal when first', '[]a]+', 'a]b', ['a]']],
    ['hyphens at both ends are literal', '[-a-c-]+', 'a-cd', ['a-c']],
    ['escaped punctuation', '[\\-\\.\\/\\\'"]+|\\-\\!', 'a-./\'"b', ['-./\'"']],
    ['counts, groups and look-around', '(?<=a)(?:b){1,2}(?!b)(?=c)(?<!x)', 'abbc', ['bb']],
    ['lazy quantifiers', 'a+?', 'aa', ['a', 'a']],
  ])('%s', (_, pattern, text, expected) => {
    expect(matches(pattern, text)).toEqual(expected);
  });
});

describe('what has no equal is refused', () => {
  test.each([
    '(?>a)',
    '[a&&b]',
    '[[:alpha:]]',
    '\\G',
    '\\b',
    '(a)\\1',
    '\\p{Nonsense}',
    '(a',
    'a)',
    '[a',
    '(?i:[a-z])',
    'x{',
    '*',
  ])('%s', (pattern) => {
    expect(() => translateRegex(pattern)).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});

test('a literal is matched as it is', () => {
  const text = 'a.b*c[d]-e\\f/g{1}(h)|i^$?+';
  expect(text.match(literalRegex(text))).toEqual([text]);
  expect('axb'.match(literalRegex('a.b'))).toBeNull();
});
