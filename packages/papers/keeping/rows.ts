import { Encoder } from '@loci/device';
import { fetch } from '@loci/kernels';
import type { Host, KvCache } from 'loci';

/** Slots of a head in float32, whatever the store: [count, d] each. */
export interface SlotRows {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** Reads slots of every head of a layer; a head with an empty list is not looked at. */
export async function readSlots(
  { device, arch }: Host,
  cache: KvCache,
  layer: number,
  lists: readonly Int32Array[],
): Promise<readonly SlotRows[]> {
  const d = arch.headSize;
  const total = lists.reduce((sum, { length }) => sum + length, 0);
  if (total === 0) return lists.map(() => ({ keys: new Float32Array(), values: new Float32Array() }));
  const room = device.allocate(4 * total * (2 * d + 2));
  const [values, slots, positions] = [room + 4 * d * total, room + 8 * d * total, room + 4 * (2 * d + 1) * total];
  try {
    const encoder = new Encoder();
    let first = 0;
    for (const [head, list] of lists.entries()) {
      if (list.length === 0) continue;
      device.ints(slots + 4 * first, list.length).set(list);
      encoder.record(
        fetch({
          ...{ head: cache.headsOf(layer, head), slots: slots + 4 * first, count: list.length, d },
          ...{ format: cache.pool.format, keys: room + 4 * d * first, values: values + 4 * d * first },
          positions: positions + 4 * first,
        }),
      );
      first += list.length;
    }
    await device.run(encoder);
    let at = 0;
    return lists.map(({ length }) => {
      const rows = {
        keys: device.floats(room + 4 * d * at, length * d).slice(),
        values: device.floats(values + 4 * d * at, length * d).slice(),
      };
      at += length;
      return rows;
    });
  } finally {
    device.free(room);
  }
}

/** The slots [from, to). */
export function slotRange(from: number, to: number): Int32Array {
  return Int32Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
