import { fc, test as property } from '@fast-check/vitest';
import { loadTokenizer } from 'loci';
import { expect, test } from 'vitest';
import { align } from './align.ts';

const tokenizer = await loadTokenizer();
const words = fc.array(fc.constantFrom(' whale', 'ship', ' 1851', '\n', '—', ' café', '🐳', '<|im_end|>', '.'), {
  minLength: 3,
  maxLength: 30,
});

property.prop([words, fc.nat(), fc.nat()])(
  'a span has all tokens of its characters, and none besides',
  (parts, a, b) => {
    const text = parts.join('');
    const start = a % parts.length;
    const from = parts.slice(0, start).join('').length;
    const to = parts.slice(0, start + 1 + (b % (parts.length - start))).join('').length;
    const { ids, span } = align(tokenizer, text);
    const found = span(from, to);
    // In bytes, since a token may be a part of a character.
    const bytes = (of: Int32Array) => of.reduce((sum, id) => sum + tokenizer.bytes(id).length, 0);
    const before = Buffer.byteLength(text.slice(0, from));
    const through = Buffer.byteLength(text.slice(0, to));
    expect(bytes(ids.slice(0, found.start))).toBeLessThanOrEqual(before);
    expect(bytes(ids.slice(0, found.start + 1))).toBeGreaterThan(before);
    expect(bytes(ids.slice(0, found.end - 1))).toBeLessThan(through);
    expect(bytes(ids.slice(0, found.end))).toBeGreaterThanOrEqual(through);
  },
);

test('a space that a vocabulary puts before a text is no part of it', () => {
  const spaced = { ...tokenizer, encode: () => tokenizer.encode(' One two', { special: 'text' }) };
  const wrapped = { ...spaced, bytes: (id: number) => tokenizer.bytes(id) };
  expect(align(Object.assign(Object.create(tokenizer), wrapped), 'One two').span(4, 7)).toEqual({ start: 1, end: 2 });
});

test('a tokenizer that changes texts is refused', () => {
  const lossy = Object.assign(Object.create(tokenizer), {
    encode: (text: string) => tokenizer.encode(text.toLowerCase().replaceAll('é', ''), { special: 'text' }),
    bytes: (id: number) => tokenizer.bytes(id),
  });
  expect(() => align(lossy, 'café')).toThrow(/spell 2 bytes less than its text/);
});
