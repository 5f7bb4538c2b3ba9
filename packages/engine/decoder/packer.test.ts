import { Device } from '@loci/device';
import { matrixBytes, packAffine } from '@loci/kernels';
import { expect, test } from 'vitest';
import { toAffine } from '../format/blocks.ts';
import { memorySource } from '../format/memory-source.ts';
import { quantize } from '../format/quantize.ts';
import type { StoredTensor } from '../format/types.ts';
import { nodeHost } from '../platform/node-host.ts';
import { Packer } from './packer.ts';

const [rows, columns] = [203, 96];
const valuesOf = (rows: number) => Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i));

function tensorOf(bytes: Uint8Array, rows: number): StoredTensor {
  const source = memorySource(bytes, 'a file');
  return {
    name: 'w',
    type: 'Q4_1',
    shape: [rows, columns],
    offset: 0,
    byteLength: bytes.length,
    source,
  };
}

/** Q4_1 rows as the packer packs them. */
async function packed(bytes: Uint8Array, rows: number, threads: number, pieceRows: number): Promise<Uint8Array> {
  const device = await Device.create(nodeHost, { threads, scratchBytes: 0 });
  const before = device.bytesInUse;
  const packer = new Packer(device, ({ tensor, rows, columns }, source) => {
    toAffine(tensor.type, source, rows, columns);
  });
  const length = matrixBytes('q4x32m', rows, columns);
  const address = device.allocate(length);
  try {
    for (let first = 0; first < rows; first += pieceRows) {
      const count = Math.min(pieceRows, rows - first);
      const out = address + matrixBytes('q4x32m', first, columns);
      await packer.add({ tensor: tensorOf(bytes, rows), type: 'Q4_1', first, rows: count, columns, out });
    }
    await packer.finish();
    return device.bytes(address, length).slice();
  } finally {
    await packer.close();
    device.free(address);
    // What was run stays allocated for the next program.
    expect(device.bytesInUse - before).toBeLessThan(4096);
    await device.close();
  }
}

/** The same rows as one thread of JavaScript packs them. */
function expected(bytes: Uint8Array, rows: number): Uint8Array {
  const out = new Uint8Array(matrixBytes('q4x32m', rows, columns));
  packAffine(toAffine('Q4_1', bytes, rows, columns), 'q4x32m', rows, columns, out);
  return out;
}

test.each([1, 2, 3])('%d threads pack what one thread of JavaScript packs', async (threads) => {
  const bytes = quantize('Q4_1', valuesOf(rows));
  for (const pieceRows of [16, 64, 208]) {
    expect(Buffer.compare(await packed(bytes, rows, threads, pieceRows), expected(bytes, rows))).toBe(0);
  }
});

test('pieces that no batch holds together, and one that is larger than a batch', async () => {
  const many = 90_003;
  const bytes = quantize('Q4_1', valuesOf(many));
  const whole = expected(bytes, many);
  for (const pieceRows of [4992, 20_000, 60_000]) {
    expect(Buffer.compare(await packed(bytes, many, 2, pieceRows), whole)).toBe(0);
  }
});

test.each([16, 208])('a damaged scale is refused with its place, in pieces of %d rows', async (pieceRows) => {
  const bytes = quantize('Q4_1', valuesOf(rows));
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(20 * (3 * 5 + 1), 0x7c00, true);
  await expect(packed(bytes, rows, 2, pieceRows)).rejects.toThrow('the block at row 5, column 32 has a scale');
});

test('a file that ends early is refused', async () => {
  const bytes = quantize('Q4_1', valuesOf(rows)).slice(0, -1);
  const whole = { ...tensorOf(bytes, rows), byteLength: bytes.length + 1 };
  const device = await Device.create(nodeHost, { threads: 1, scratchBytes: 0 });
  const packer = new Packer(device, () => {});
  const piece = { tensor: whole, type: 'Q4_1', first: 0, rows, columns, out: device.allocate(65536) } as const;
  await packer.add(piece);
  await expect(packer.finish()).rejects.toMatchObject({ code: 'bad-file' });
  await packer.close();
  await device.close();
});
