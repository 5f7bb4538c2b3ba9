import { type Device, Encoder } from '@loci/device';
import { median } from '@loci/evaluate';
import { Random } from '@loci/evaluate/random';
import {
  append,
  attend,
  type Command,
  headBytes,
  headWords,
  matmulFloat,
  matrixBytes,
  mergeParts,
  type PageFormat,
  packFloats,
  packProgressive,
  pageBytes,
  pageSlots,
  partialFloats,
  progressive,
  quantizeRows,
  splitsOf,
} from '@loci/kernels';
import { quantizeProgressive } from './weights.ts';

/** Something to time: runs once and takes so many milliseconds. */
export type Timed = () => Promise<number>;

/** Median milliseconds of runs that alternate: what else the machine does meets all of them. */
export async function alternating(runs: readonly Timed[], rounds: number): Promise<readonly number[]> {
  const found = runs.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, run] of runs.entries()) {
      const ms = await run();
      // The first round is the compiler's.
      if (round >= 0) found[i]?.push(ms);
    }
  }
  return found.map(median);
}

/** A place for numbers on a device, given back by `free`. */
class Room {
  readonly device: Device;
  readonly #held: number[] = [];

  constructor(device: Device) {
    this.device = device;
  }

  bytes(count: number): number {
    const address = this.device.allocate(count);
    this.#held.push(address);
    return address;
  }

  put(values: Uint8Array | Int32Array | Float32Array): number {
    const address = this.bytes(values.byteLength);
    const from = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.device.bytes(address, values.byteLength).set(from);
    return address;
  }

  timed(commands: readonly Command[]): Timed {
    return async () => {
      const encoder = new Encoder();
      encoder.record(...commands);
      const started = performance.now();
      await this.device.run(encoder);
      return performance.now() - started;
    };
  }

  free(): void {
    for (const address of this.#held) this.device.free(address);
  }
}

/** Matrices that are read one after the other, as in the layers of a model: no cache holds them all in float32. */
const count = 24;
const [rows, columns, group] = [1536, 576, 64] as const;

function noise(length: number, seed: string): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length }, () => random.real() + random.real() - 1);
}

/** Products of one token with `count` matrices of 1536 × 576: 4-bit weights, rounding the token included, and float32. */
export function productTimes(device: Device): { w4a8: Timed; float32: Timed; close(): void } {
  const room = new Room(device);
  const values = noise(rows * columns, 'timed products');
  const packed = packProgressive(quantizeProgressive(values, rows, columns, group));
  const floats = new Float32Array(matrixBytes('f32', rows, columns) / 4);
  packFloats(values, rows, columns, floats);
  const x = room.put(noise(columns, 'timed token'));
  const bytes = { q: room.bytes(columns), scales: room.bytes(4), sums: room.bytes((4 * columns) / group) };
  const to = { n: 1, out: room.bytes(4 * rows), stride: rows };
  const each = (one: () => Command[]) => Array.from({ length: count }, one).flat();
  return {
    w4a8: room.timed(
      each(() => [
        quantizeRows({ x, stride: columns, rows: 1, columns, group }, bytes),
        progressive(bytes, {
          matrix: { layout: 'progressive', rows, columns, group, address: room.put(packed) },
          ...to,
        }),
      ]),
    ),
    float32: room.timed(
      each(() => [matmulFloat(x, { matrix: { layout: 'f32', rows, columns, address: room.put(floats) }, ...to })]),
    ),
    close: () => room.free(),
  };
}

const [h, g, d, layers] = [9, 3, 64, 12] as const;

/** Attention of one query of `layers` layers of SmolLM2's heads over so many tokens, over pages of float32 and of 4 bits. */
export async function attentionTimes(
  device: Device,
  tokens: number,
): Promise<{ readonly runs: { readonly f32: Timed; readonly kv4: Timed }; close(): void }> {
  const room = new Room(device);
  const keys = room.put(noise(tokens * g * d, 'timed keys'));
  const values = room.put(noise(tokens * g * d, 'timed values'));
  const positions = room.put(Int32Array.from({ length: tokens }, (_, i) => i));
  const queries = room.put(noise(h * d, 'timed query').map((q) => 3 * q));
  const partials = room.bytes(4 * partialFloats(1, h, d, splitsOf(1, tokens)));
  const out = room.bytes(4 * h * d);
  const timed = async (format: PageFormat) => {
    const commands: Command[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const heads = await filled(format);
      const call = {
        ...{ queries, out, n: 1, h, g, d, heads, slots: tokens, positions: positions + 4 * (tokens - 1) },
        ...{ scale: d ** -0.5, window: 0, format, mayRound: format !== 'f32', partials },
      };
      const merge = mergeParts(call);
      commands.push(attend(call), ...(merge ? [merge] : []));
    }
    return room.timed(commands);
  };
  /** A cache of all tokens, the last one not counted yet. */
  const filled = async (format: PageFormat) => {
    const tables = Array.from({ length: g }, () => {
      const pages = Array.from({ length: tokens / pageSlots }, () => room.bytes(pageBytes(format, d)));
      return room.put(Int32Array.from(pages));
    });
    const entries = (used: number) => Int32Array.from(tables.flatMap((table) => headWords({ table, used })));
    const heads = room.put(entries(0));
    const encoder = new Encoder();
    encoder.record(append({ keys, values, n: tokens, g, d, heads, positions, format }));
    await device.run(encoder);
    device.ints(heads, (g * headBytes) / 4).set(entries(tokens - 1));
    return heads;
  };
  return { runs: { f32: await timed('f32'), kv4: await timed('kv4') }, close: () => room.free() };
}
