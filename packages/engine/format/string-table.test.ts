import { fc, test } from '@fast-check/vitest';
import { describe, expect, test as plainTest } from 'vitest';
import { StringTable } from './string-table.ts';

/** Bytes that lie near the rules of UTF-8: ends and middles of characters of every length, surrogates, and text. */
const nearText = fc.array(
  fc.constantFrom([0x61], [0xc3], [0xa9], [0xc3, 0xa9], [0xe2, 0x96, 0x81], [0xe2, 0x96], [0xed, 0xa0, 0x80], [0xf0]),
  { maxLength: 4 },
);

function tableOf(texts: readonly (readonly number[])[]): StringTable {
  const bounds = new Uint32Array(texts.length + 1);
  for (const [index, text] of texts.entries()) bounds[index + 1] = bounds[index]! + text.length;
  return StringTable.between(Uint8Array.from(texts.flat()), bounds);
}

const isText = (bytes: readonly number[]) => Buffer.from(Buffer.from(bytes).toString()).equals(Buffer.from(bytes));

test.prop([fc.array(fc.string({ unit: 'binary' }))])('gives back the texts it was made of', (texts) => {
  const table = StringTable.of(texts);
  expect(table).toHaveLength(texts.length);
  expect([...table]).toEqual(texts);
  expect(table.firstInvalid()).toBe(-1);
});

describe('the first text that is not UTF-8', () => {
  test.prop([fc.array(nearText, { maxLength: 8 })])(
    'is found, also where neighbours make characters together',
    (parts) => {
      const texts = parts.map((part) => part.flat());
      expect(tableOf(texts).firstInvalid()).toBe(texts.findIndex((text) => !isText(text)));
    },
  );

  plainTest('is found behind a million bytes, and in one of them', () => {
    const long = Array.from({ length: 300_000 }, () => 0x61);
    const many = Array.from({ length: 50_000 }, () => [0xc3, 0xa9, 0x61]);
    expect(tableOf([...many, long, ...many, [0xc3]]).firstInvalid()).toBe(100_001);
    expect(tableOf([...many, [...long, 0xff], ...many]).firstInvalid()).toBe(50_000);
    expect(tableOf([...many, long, ...many]).firstInvalid()).toBe(-1);
  });
});
