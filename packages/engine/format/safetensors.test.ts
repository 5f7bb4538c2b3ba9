import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LociError } from '../errors.ts';
import { openFile } from '../platform/node-file.ts';
import type { ByteSource } from '../platform/types.ts';
import { dequantize } from './blocks.ts';
import { memorySource } from './memory-source.ts';
import { quantize } from './quantize.ts';
import { floatTensor, readSafetensors } from './safetensors-read.ts';
import { readShards } from './safetensors-shards.ts';
import { writeSafetensors } from './safetensors-write.ts';
import { collect, copyOf, type TensorData } from './tensor-data.ts';
import type { StoredTensor } from './types.ts';

/** Written by bench/oracles/safetensors-file.py with the Python package safetensors. */
const golden = readFileSync(new URL('./golden/python.safetensors', import.meta.url));
const read = (bytes: Uint8Array, name = 'test.safetensors') => readSafetensors(memorySource(bytes, name));

async function valuesOf(tensor: StoredTensor | undefined): Promise<readonly number[]> {
  if (!tensor) throw new Error('no such tensor');
  const count = tensor.shape.reduce((product, size) => product * size, 1);
  return [...dequantize(tensor.type, await tensor.source.read(tensor.offset, tensor.byteLength), count)];
}

describe('a file written by the safetensors package', () => {
  test('floats of every size, scalars and empty tensors hold what was put in', async () => {
    const { metadata, tensors } = await read(golden);
    const ramp = Array.from({ length: 12 }, (_, i) => (i - 6) / 8);
    expect(Object.fromEntries(metadata)).toEqual({ format: 'pt', note: 'Grüße' });
    expect([...tensors.keys()].sort()).toEqual(['empty', 'ramp.bf16', 'ramp.f16', 'ramp.f32', 'scalar']);
    for (const name of ['ramp.f32', 'ramp.f16', 'ramp.bf16']) {
      expect(tensors.get(name)!.shape).toEqual([3, 4]);
      expect(await valuesOf(tensors.get(name))).toEqual(ramp);
    }
    expect(tensors.get('scalar')!.shape).toEqual([]);
    expect(await valuesOf(tensors.get('scalar'))).toEqual([2.5]);
    expect(tensors.get('empty')).toMatchObject({ shape: [0, 4], byteLength: 0 });
  });

  test('tensors that are not floats are passed over until one is wanted', async () => {
    const file = await read(golden);
    expect(Object.fromEntries(file.skipped)).toEqual({ positions: 'I64' });
    expect(floatTensor(file, 'scalar', 'x').name).toBe('scalar');
    expect(() => floatTensor(file, 'positions', 'x')).toThrow('x: tensor "positions" is stored as I64');
    expect(() => floatTensor(file, 'weight', 'x')).toThrow('x: there is no tensor "weight"');
  });
});

const anyTensor: fc.Arbitrary<TensorData> = fc
  .record({
    name: fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__'),
    type: fc.constantFrom('F32', 'F16', 'BF16'),
    shape: fc.array(fc.nat(4), { maxLength: 5 }),
  })
  .map(({ name, type, shape }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return {
      name,
      type,
      shape,
      data: quantize(
        type,
        Float32Array.from({ length: count }, (_, i) => i / 3),
      ),
    };
  });

const tensorLists = fc.uniqueArray(anyTensor, { selector: ({ name }) => name });

test('what is written is read back', async () => {
  await fc.assert(
    fc.asyncProperty(tensorLists, fc.dictionary(fc.string(), fc.string()), async (tensors, metadata) => {
      const bytes = await collect(writeSafetensors({ metadata, tensors }));
      const file = await read(bytes);
      expect(Object.fromEntries(file.metadata)).toEqual({ ...metadata });
      expect(file.tensors.size).toBe(tensors.length);
      for (const { name, type, shape, data } of tensors) {
        const found = file.tensors.get(name)!;
        expect([found.type, found.shape]).toEqual([type, shape]);
        expect(await found.source.read(found.offset, found.byteLength)).toEqual(data);
      }
      const copies = tensors.map(({ name }) => copyOf(file.tensors.get(name)!));
      expect(await collect(writeSafetensors({ metadata, tensors: copies }))).toEqual(bytes);
    }),
  );
});

test('the writer refuses block formats', async () => {
  const tensor = { name: 'w', type: 'Q8_0', shape: [32], data: new Uint8Array(34) } as const;
  await expect(collect(writeSafetensors({ tensors: [tensor] }))).rejects.toThrow('hold F32, F16 and BF16, not Q8_0');
});

/** A file with this header and as many bytes of data. */
function file(header: string | Uint8Array, dataBytes: number, claimed?: number | bigint): Uint8Array {
  const json = typeof header === 'string' ? Buffer.from(header) : header;
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(claimed ?? json.length), true);
  out.set(json, 8);
  return out;
}

const entry = (start: number, end: number, dtype = 'F32', shape: readonly unknown[] = [(end - start) / 4]) =>
  JSON.stringify({ dtype, shape, data_offsets: [start, end] });

describe('refused with the file, the offset and the reason', () => {
  test.each<[what: string, data: Uint8Array, message: string]>([
    ['an empty file', new Uint8Array(0), 'at byte 0: the file has 0 bytes, too few'],
    ['a header beyond the end', file('{}', 0, 3), 'at byte 0: the header claims 3 bytes, but the file has 10 bytes'],
    ['a header of 2^64 − 1', file('{}', 0, 2n ** 64n - 1n), 'the header claims 18446744073709551615 bytes'],
    ['no JSON', file('{"a":', 0), 'at byte 8: the header is not JSON'],
    ['invalid UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 0), 'the header is not valid UTF-8'],
    ['an array', file('[]', 0), 'the header is not a JSON object'],
    ['null', file('null', 0), 'the header is not a JSON object'],
    ['arrays without end', file('['.repeat(200_000), 0), 'the header is not JSON'],
    ['a name twice', file(`{"a":${entry(0, 8)},"a":${entry(0, 8)}}`, 8), 'the header names something twice'],
    ['a name twice, once escaped', file(`{"a":${entry(0, 8)},"\\u0061":${entry(0, 8)}}`, 8), 'names something twice'],
    [
      'a property twice',
      file('{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
      'names something twice',
    ],
    ['metadata of numbers', file('{"__metadata__":{"a":1}}', 0), '"__metadata__" has no string for "a"'],
    ['metadata of text', file('{"__metadata__":"a"}', 0), '"__metadata__" is not an object'],
    ['a tensor of text', file('{"a":"F32"}', 0), 'tensor "a" is not described by an object'],
    ['no dtype', file('{"a":{"shape":[2],"data_offsets":[0,8]}}', 8), 'tensor "a" has no "dtype"'],
    ['no shape', file('{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8), 'tensor "a" has no "shape"'],
    ['a negative shape', file(`{"a":${entry(0, 8, 'F32', [-1, -2])}}`, 8), 'tensor "a" has no "shape"'],
    ['half an element', file(`{"a":${entry(0, 8, 'F32', [0.5, 4])}}`, 8), 'tensor "a" has no "shape"'],
    ['one offset', file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}', 8), 'no "data_offsets" of two'],
    ['an offset of 1e300', file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,1e300]}}', 8), 'no "data_offsets"'],
    [
      'too few bytes',
      file(`{"a":${entry(0, 8, 'F32', [3])}}`, 8),
      'tensor "a" of shape [3] needs 12 bytes of F32, not 8',
    ],
    ['a product beyond 2^53', file(`{"a":${entry(0, 8, 'F32', [2 ** 52, 2 ** 52])}}`, 8), 'tensor "a" of shape'],
    [
      'an end before the start',
      file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}', 8),
      'bytes of F32, not -8',
    ],
    ['an overlap', file(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12), 'tensor "b" overlaps the tensor before it'],
    ['a gap', file(`{"a":${entry(0, 8)},"b":${entry(12, 16)}}`, 16), 'tensor "b" leaves 4 bytes unused before it'],
    ['a late start', file(`{"a":${entry(4, 8)}}`, 8), 'tensor "a" leaves 4 bytes unused before it'],
    ['data cut short', file(`{"a":${entry(0, 8)}}`, 7), 'the tensors need 1 bytes more than the file has'],
    ['data left over', file(`{"a":${entry(0, 8)}}`, 9), '1 bytes belong to no tensor'],
  ])('%s', async (_, data, message) => {
    const error = await read(data, 'evil.safetensors').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(LociError);
    expect(error).toMatchObject({ code: 'bad-file', message: expect.stringContaining(message) });
    expect(error).toMatchObject({ message: expect.stringMatching(/^evil\.safetensors: at byte \d+: /) });
  });

  test('an element type that is not known', async () => {
    const error = await read(file(`{"a":${entry(0, 8, 'F4')}}`, 8)).catch((error: unknown) => error);
    expect(error).toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('tensor "a" has the element type F4'),
    });
  });

  test('a header over the limit is not read', async () => {
    const source: ByteSource = {
      ...memorySource(new Uint8Array(8), 'vast.safetensors'),
      size: 2 ** 40,
      async read(_, length) {
        expect(length).toBe(8);
        return new Uint8Array(BigUint64Array.of(2n ** 39n).buffer);
      },
    };
    await expect(readSafetensors(source)).rejects.toThrow('a header of 549755813888 bytes is too long');
  });

  test('a good file with any one byte of the header changed, or cut anywhere, is read or refused', async () => {
    const header = golden.length - 140;
    for (let at = 0; at < header; at++) {
      for (const byte of [0, 0x22, 0x30, 0x39, 0x5c, 0x7d, 255, golden[at]! ^ 1]) {
        const changed = Uint8Array.from(golden);
        changed[at] = byte;
        await read(changed).catch((error: unknown) => {
          if (!(error instanceof LociError) || !['bad-file', 'unsupported'].includes(error.code)) throw error;
        });
      }
    }
    for (let length = 0; length < golden.length; length++) {
      await expect(read(golden.subarray(0, length))).rejects.toMatchObject({ code: 'bad-file' });
    }
  });
});

describe('a model in several files', () => {
  const shard = (name: string, value: number) =>
    collect(
      writeSafetensors({ tensors: [{ name, type: 'F32', shape: [1], data: quantize('F32', Float32Array.of(value)) }] }),
    );

  async function opener() {
    const stored = new Map([
      ['one.safetensors', await shard('a', 1)],
      ['two.safetensors', await shard('b', 2)],
      ['again.safetensors', await shard('a', 3)],
      ['torn.safetensors', (await shard('c', 3)).subarray(0, 20)],
    ]);
    return async (name: string): Promise<ByteSource> => {
      const bytes = stored.get(name);
      if (!bytes) throw new LociError('not-found', `${name} is not there`);
      return memorySource(bytes, name);
    };
  }

  test('every tensor is found in its file', async () => {
    const tensors = await readShards(['one.safetensors', 'two.safetensors'], await opener());
    expect([...tensors.keys()]).toEqual(['a', 'b']);
    expect(await valuesOf(tensors.get('a'))).toEqual([1]);
    expect(await valuesOf(tensors.get('b'))).toEqual([2]);
    expect(tensors.get('b')?.source.name).toBe('two.safetensors');
  });

  test.each([
    ['a tensor twice', 'again.safetensors', 'again.safetensors: tensor "a" is in another shard too'],
    ['a part cut short', 'torn.safetensors', 'torn.safetensors: at byte'],
    ['a part missing', 'three.safetensors', 'three.safetensors is not there'],
  ])('%s is refused', async (_, second, message) => {
    await expect(readShards(['one.safetensors', second], await opener())).rejects.toThrow(message);
  });
});

const miniLm = process.env['LOCI_MINILM'] ?? '';

test.skipIf(!existsSync(miniLm))(
  'all-MiniLM-L6-v2 (LOCI_MINILM, its model.safetensors) is read: 103 float tensors',
  async () => {
    const source = await openFile(miniLm);
    const { tensors, skipped } = await readSafetensors(source);
    expect([tensors.size, Object.fromEntries(skipped)]).toEqual([103, { 'embeddings.position_ids': 'I64' }]);
    await source.close();
  },
);
