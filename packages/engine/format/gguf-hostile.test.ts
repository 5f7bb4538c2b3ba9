import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { LociError } from '../errors.ts';
import type { ByteSource } from '../platform/types.ts';
import { type GgufFile, readGguf } from './gguf-read.ts';
import { writeGguf } from './gguf-write.ts';
import { checkRange, memorySource } from './memory-source.ts';
import { StringTable } from './string-table.ts';
import { collect } from './tensor-data.ts';

const u32 = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
const u64 = (...values: (number | bigint)[]) => new Uint8Array(BigUint64Array.from(values.map(BigInt)).buffer);
const bytes = (...parts: (Uint8Array | readonly number[])[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const text = (value: string) => bytes(u64(Buffer.byteLength(value)), Buffer.from(value));
const magic = Buffer.from('GGUF');
/** A file of version 3 with these metadata and tensor entries, and `data` at the next multiple of 32. */
function file(
  values: readonly Uint8Array[],
  tensors: readonly Uint8Array[] = [],
  data = new Uint8Array(0),
): Uint8Array {
  const header = bytes(magic, u32(3), u64(tensors.length, values.length), ...values, ...tensors);
  return bytes(header, new Uint8Array((32 - (header.length % 32)) % 32), data);
}
const value = (key: string, type: number, payload: Uint8Array | readonly number[]) =>
  bytes(text(key), u32(type), payload);
const tensor = (name: string, ggufShape: readonly (number | bigint)[], type: number, offset: number | bigint) =>
  bytes(text(name), u32(ggufShape.length), u64(...ggufShape), u32(type), u64(offset));

const read = (data: Uint8Array) => readGguf(memorySource(data, 'evil.gguf'));

async function refusal(data: Uint8Array): Promise<LociError> {
  try {
    await read(data);
  } catch (error) {
    if (error instanceof LociError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

describe('refused with the file, the offset and the reason', () => {
  const alignment = (value: number) => bytes(text('general.alignment'), u32(4), u32(value));
  const deep = (depth: number): Uint8Array =>
    depth === 0 ? bytes(u32(4), u64(0)) : bytes(u32(9), u64(1), deep(depth - 1));

  test.each<[what: string, data: Uint8Array, message: string]>([
    ['an empty file', new Uint8Array(0), 'at byte 0: the header would take 24 bytes, but the file ends at byte 0'],
    ['another format', new Uint8Array(64).fill(80), 'at byte 0: this is not a GGUF file'],
    ['version 1', bytes(magic, u32(1), u64(0, 0)), 'at byte 4: GGUF version 1 is not known'],
    ['version 4', bytes(magic, u32(4), u64(0, 0)), 'at byte 4: GGUF version 4 is not known'],
    ['big-endian', bytes(magic, [0, 0, 0, 3], u64(0, 0)), 'at byte 4: a big-endian GGUF file'],
    [
      '2^60 tensors',
      bytes(magic, u32(3), u64(2n ** 60n, 0)),
      'at byte 8: the list of tensors (1152921504606846976 claimed)',
    ],
    ['2^64 − 1 values', bytes(magic, u32(3), u64(0, 2n ** 64n - 1n)), 'at byte 16: the metadata (18446744073709551615'],
    [
      'a key of 2^60 bytes',
      file([bytes(u64(2n ** 60n), u32(4, 1))]),
      'at byte 24: a metadata key (1152921504606846976',
    ],
    [
      'a key of 70,000 bytes',
      file([value('k'.repeat(70_000), 4, u32(1))]),
      'a metadata key of 70000 bytes is too long',
    ],
    ['a string beyond the end', file([value('k', 8, u64(2 ** 40))]), '"k" (1099511627776 claimed) would take'],
    [
      'an array beyond the end',
      file([value('k', 9, bytes(u32(6), u64(2 ** 40)))]),
      '"k" (1099511627776 claimed) would take 4398046511104 bytes',
    ],
    ['strings beyond the end', file([value('k', 9, bytes(u32(8), u64(9), text('a')))]), '"k" (9 claimed)'],
    [
      'a key that is not UTF-8',
      file([bytes(u64(1), [0xff], u32(4, 1))]),
      'at byte 32: a metadata key is not valid UTF-8',
    ],
    ['a string that is not UTF-8', file([value('k', 8, bytes(u64(2), [0xc3, 0x28]))]), '"k" is not valid UTF-8'],
    [
      'an array string that is not UTF-8',
      file([value('k', 9, bytes(u32(8), u64(1, 1), [0x80]))]),
      '"k" is not valid UTF-8',
    ],
    [
      'a key twice',
      file([value('k', 4, u32(1)), value('k', 4, u32(2))]),
      'at byte 41: the metadata key "k" is there twice',
    ],
    ['value type 13', file([value('k', 13, u32(1))]), 'at byte 33: "k" has the unknown value type 13'],
    ['array type 99', file([value('k', 9, bytes(u32(99), u64(0)))]), '"k" has the unknown value type 99'],
    ['a boolean of 2', file([value('k', 7, [2])]), 'at byte 37: "k" is a boolean with the value 2'],
    ['arrays five deep', file([value('k', 9, deep(4))]), '"k" has arrays nested deeper than 4'],
    [
      '70,000 arrays',
      file([value('k', 9, bytes(u32(9), u64(70_000), new Uint8Array(12 * 70_000)))]),
      'more than 65536 arrays',
    ],
    ['alignment 0', file([alignment(0)]), '"general.alignment" is 0 (u32), and must be a power of two'],
    ['alignment 24', file([alignment(24)]), '"general.alignment" is 24 (u32), and must be a power of two'],
    ['an alignment of text', file([value('general.alignment', 8, text('32'))]), '"general.alignment" is 32 (string)'],
    ['no dimensions', file([], [tensor('t', [], 0, 0)], new Uint8Array(64)), 'at byte 24: tensor "t" has 0 dimensions'],
    [
      'five dimensions',
      file([], [tensor('t', [1, 1, 1, 1, 1], 0, 0)], new Uint8Array(64)),
      'tensor "t" has 5 dimensions',
    ],
    ['a dimension of 0', file([], [tensor('t', [4, 0], 0, 0)], new Uint8Array(64)), 'tensor "t" has a dimension of 0'],
    [
      'a dimension of 2^63',
      file([], [tensor('t', [2n ** 63n], 0, 0)], new Uint8Array(64)),
      'tensor "t" has a dimension of 9223372036854775808',
    ],
    ['2^40 × 2^40 elements', file([], [tensor('t', [2 ** 40, 2 ** 40], 0, 0)]), 'more elements than a file can hold'],
    [
      '2^32 × 2^32 elements, 0 in 64 bits',
      file([], [tensor('t', [2 ** 32, 2 ** 32], 0, 0)]),
      'more elements than a file can hold',
    ],
    [
      'half a block',
      file([], [tensor('t', [48], 2, 0)], new Uint8Array(64)),
      'rows of 48 are not a whole number of Q4_0 blocks of 32',
    ],
    [
      'type 255',
      file([], [tensor('t', [4], 255, 0)], new Uint8Array(64)),
      'at byte 24: tensor "t" has the unknown type 255',
    ],
    [
      'a name twice',
      file([], [tensor('t', [4], 0, 0), tensor('t', [4], 0, 32)], new Uint8Array(64)),
      'at byte 57: there are two tensors named "t"',
    ],
    [
      'offset 16',
      file([], [tensor('t', [4], 0, 16)], new Uint8Array(64)),
      'tensor "t" starts at 16 of the data, which is not a multiple of 32',
    ],
    [
      'data beyond the end',
      file([], [tensor('t', [64], 0, 0)], new Uint8Array(64)),
      'tensor "t" lies at bytes 64 to 320, but the file ends at 128',
    ],
    ['offset 2^63', file([], [tensor('t', [4], 0, 2n ** 63n)], new Uint8Array(64)), 'but the file ends at 128'],
    [
      'two in one place',
      file([], [tensor('a', [16], 0, 0), tensor('b', [4], 0, 32)], new Uint8Array(96)),
      'tensors "a" and "b" overlap',
    ],
  ])('%s', async (_, data, message) => {
    const error = await refusal(data);
    expect(error.code).toBe('bad-file');
    expect(error.message).toContain('evil.gguf: at byte ');
    expect(error.message).toContain(message);
  });

  test('a tensor type of others is not supported, by its name, and only when a tensor has it', async () => {
    const error = await refusal(file([], [tensor('t', [256], 17, 0)], new Uint8Array(128)));
    expect(error.code).toBe('unsupported');
    expect(error.message).toContain('tensor "t" is stored as IQ2_XS');
  });
});

test('arrays in arrays up to the limit are read', async () => {
  const inner = bytes(u32(9), u64(2), u32(4), u64(1), u32(7), u32(8), u64(1), text('x'));
  const { metadata } = await read(file([value('k', 9, inner)]));
  expect(metadata.get('k')).toEqual([Uint32Array.of(7), StringTable.of(['x'])]);
});

/** A file of a size that no memory has: reading is counted, and finds zeros behind `start`. */
function vast(start: Uint8Array, size: number): ByteSource & { readonly largestRead: () => number } {
  let largest = 0;
  const look = (offset: number, length: number) => {
    checkRange('vast.gguf', size, offset, length);
    largest = Math.max(largest, length);
    return start.subarray(offset, offset + length);
  };
  return {
    name: 'vast.gguf',
    size,
    largestRead: () => largest,
    async read(offset, length) {
      const found = look(offset, length);
      const out = new Uint8Array(length);
      out.set(found);
      return out;
    },
    async readInto(offset, target) {
      target.fill(0);
      target.set(look(offset, target.byteLength));
    },
    async close() {},
  };
}

test.each([
  ['a string', value('k', 8, u64(2 ** 39))],
  ['an array', value('k', 9, bytes(u32(10), u64(2 ** 38)))],
  ['an array of strings', value('k', 9, bytes(u32(8), u64(2 ** 36)))],
])('%s as long as a vast file is refused before it is read', async (_, entry) => {
  const source = vast(bytes(magic, u32(3), u64(0, 1), entry), 2 ** 40);
  await expect(readGguf(source)).rejects.toThrow('but a header may have 268435456 bytes');
  expect(source.largestRead()).toBeLessThanOrEqual(2 ** 16);
});

/** Resolves to the file or to nothing; anything else than the two honest refusals fails the test. */
async function survives(source: ByteSource): Promise<void> {
  const start = performance.now();
  try {
    checkPlaces(await readGguf(source), source.size);
  } catch (error) {
    if (!(error instanceof LociError) || (error.code !== 'bad-file' && error.code !== 'unsupported')) throw error;
    if (!error.message.startsWith(source.name)) throw error;
  }
  expect(performance.now() - start).toBeLessThan(2000);
}

function checkPlaces({ tensors, alignment }: GgufFile, size: number): void {
  let end = 0;
  for (const { offset, byteLength } of [...tensors.values()].sort((a, b) => a.offset - b.offset)) {
    if (offset % alignment !== 0 || offset < end || offset + byteLength > size)
      throw new Error('tensors are misplaced');
    end = offset + byteLength;
  }
}

describe('a small file of every kind of value', () => {
  let whole: Uint8Array<ArrayBuffer>;
  let headerLength = 0;

  beforeAll(async () => {
    whole = await collect(
      writeGguf({
        values: [
          ['general.architecture', { type: 'string', value: 'llama' }],
          ['general.alignment', { type: 'u32', value: 32 }],
          ['a', { type: 'u64', value: 2n ** 60n }],
          ['b', { type: 'bool', value: true }],
          ['c', { type: 'array', of: 'string', value: ['a', 'ü', ''] }],
          ['d', { type: 'array', of: 'f32', value: [1, 2, 3] }],
          ['e', { type: 'array', of: 'array', value: [{ type: 'array', of: 'u8', value: [1, 2] }] }],
          ['f', { type: 'f64', value: 1 }],
        ],
        tensors: [
          { name: 'first', type: 'F32', shape: [2, 3], data: new Uint8Array(24) },
          { name: 'second', type: 'Q4_1', shape: [1, 64], data: new Uint8Array(40) },
          { name: 'third', type: 'Q6_K', shape: [256], data: new Uint8Array(210) },
        ],
      }),
    );
    const { tensors } = await read(whole);
    headerLength = tensors.get('first')!.offset;
  });

  test('cut short anywhere it is refused', async () => {
    // The padding behind the last tensor is not needed.
    const needed = headerLength + 32 + 64 + 210;
    expect(whole.length).toBe(Math.ceil(needed / 32) * 32);
    for (let length = 0; length < needed; length++) {
      const error = await refusal(whole.slice(0, length));
      expect(error.code).toBe('bad-file');
    }
    await read(whole.slice(0, needed));
  });

  test('with any one byte changed it is read or refused', async () => {
    for (let at = 0; at < headerLength; at++) {
      const original = whole[at]!;
      for (const byte of [0, 1, 127, 128, 255, original ^ 1, original ^ 128]) {
        const changed = whole.slice();
        changed[at] = byte;
        await survives(memorySource(changed, 'evil.gguf'));
      }
    }
  });

  test('with extreme numbers anywhere it is read or refused', async () => {
    const extremes = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n];
    for (let at = 0; at < headerLength - 8; at++) {
      for (const number of extremes) {
        const changed = whole.slice();
        new DataView(changed.buffer).setBigUint64(at, number, true);
        await survives(memorySource(changed, 'evil.gguf'));
      }
    }
  });

  test('with pieces overwritten, removed, doubled or cut off it is read or refused', async () => {
    const edit = fc.record({
      at: fc.nat(headerLength - 1),
      remove: fc.nat(24),
      insert: fc.uint8Array({ maxLength: 24 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(40), async (edits, cut) => {
        let changed: Uint8Array = whole;
        for (const { at, remove, insert } of edits) {
          changed = bytes(changed.subarray(0, at), insert, changed.subarray(at + remove));
        }
        await survives(memorySource(changed.subarray(0, Math.max(0, changed.length - cut)), 'evil.gguf'));
      }),
      { numRuns: 500 },
    );
  });
});

const smollm2 = fileURLToPath(
  new URL('../../../models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf', import.meta.url),
);

test.skipIf(!existsSync(smollm2))('the header of SmolLM2 with bytes changed is read or refused', async () => {
  const { size } = statSync(smollm2);
  const descriptor = openSync(smollm2, 'r');
  const header = new Uint8Array(2 ** 21);
  readSync(descriptor, header, 0, header.length, 0);
  closeSync(descriptor);
  const { tensors } = await readGguf(vast(header, size));
  const headerLength = Math.min(...Array.from(tensors.values(), ({ offset }) => offset));
  // Lengths and types stand at the two ends of the header; between them lies the vocabulary.
  const place = fc.oneof(
    fc.nat(2000),
    fc.integer({ min: headerLength - 16_000, max: headerLength - 1 }),
    fc.nat(headerLength - 1),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 8 }), async (changes) => {
      const changed = header.slice();
      for (const [at, byte] of changes) changed[at] = byte;
      await survives(vast(changed, size));
    }),
    { numRuns: 100 },
  );
});
