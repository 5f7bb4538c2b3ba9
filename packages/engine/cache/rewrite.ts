import { type Device, Encoder } from '@loci/device';
import { append, fetch } from '@loci/kernels';
import { extraPosition, type Kept, type KvCache, slotCount } from './cache.ts';

/**
 * Copies what is kept of every [layer][head] of one cache into the reserved pages of another, whatever the formats of the
 * two: slots become float32 rows on the way, one layer at a time.
 */
export async function rewrite(
  device: Device,
  from: KvCache,
  to: KvCache,
  kept: readonly (readonly Kept[])[],
): Promise<void> {
  const { d } = from.pool;
  const most = Math.max(...kept.map((heads) => heads.reduce((sum, one) => sum + slotCount(one), 0)));
  if (most === 0) return;
  const room = device.allocate(4 * most * (2 * d + 2));
  try {
    for (const [layer, heads] of kept.entries()) {
      const encoder = new Encoder();
      let row = 0;
      const rowsOf = heads.map((one) => {
        const first = row;
        row += slotCount(one);
        return {
          keys: room + 4 * d * first,
          values: room + 4 * d * (most + first),
          positions: room + 4 * (2 * d * most + first),
          lists: room + 4 * ((2 * d + 1) * most + first),
        };
      });
      for (const [head, { slots, extra }] of heads.entries()) {
        const { keys, values, positions, lists } = rowsOf[head]!;
        const before = extra ? 1 : 0;
        if (extra) {
          device.floats(keys, d).set(extra.key);
          device.floats(values, d).set(extra.value);
          device.ints(positions, 1)[0] = extraPosition;
        }
        device.ints(lists, slots.length).set(slots);
        encoder.record(
          fetch({
            ...{ head: from.headsOf(layer, head), slots: lists, count: slots.length, d, format: from.pool.format },
            keys: keys + 4 * d * before,
            values: values + 4 * d * before,
            positions: positions + 4 * before,
            join: head === heads.length - 1,
          }),
        );
      }
      for (const [head, one] of heads.entries()) {
        const { keys, values, positions } = rowsOf[head]!;
        encoder.record(
          append({
            ...{ keys, values, positions, n: slotCount(one), g: 1, d, format: to.pool.format },
            heads: to.headsOf(layer, head),
            join: head === heads.length - 1,
          }),
        );
      }
      await device.run(encoder);
    }
  } finally {
    device.free(room);
  }
}
