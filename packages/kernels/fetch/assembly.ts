import { F32, keysOf, pageOf, SLOTS, tableOf, valuesOf } from '../append/page.assembly';
import { address, int, take } from '../assembly/args';
import { Tile } from '../attend/tile.assembly';
import { unpackKeys, unpackValues } from '../attend/unpack.assembly';

/**
 * Reads slots of one head as float32 rows. Arguments: 0 the head's entry, 1 slot numbers [count], 2 count, 3 d, 4 format,
 * 5 keys [count, d], 6 values [count, d], 7 positions [count].
 */
export function fetch(args: usize, counter: usize, scratch: usize): void {
  const table = tableOf(address(args, 0));
  const slots = address(args, 1);
  const count = int(args, 2);
  const d = int(args, 3);
  const format = int(args, 4);
  const keys = address(args, 5);
  const values = address(args, 6);
  const positions = address(args, 7);
  const rowBytes = <usize>d << 2;
  const tile = Tile.at(scratch, 4, d, 1);
  for (let item = take(counter); item << 5 < count; item = take(counter)) {
    const first = item << 5, end = min(count, first + SLOTS);
    // One after the other: unpacking either takes the other's room for itself.
    let held: usize = 0;
    for (let i = first; i < end; i++) {
      const slot = load<i32>(slots + (<usize>i << 2));
      const page = pageOf(table, slot);
      if (page != held && format != F32) unpackKeys(page, format, d, tile);
      held = page;
      const at = <usize>(slot & (SLOTS - 1)) << 2;
      const from = (format == F32 ? keysOf(page) : tile.keys) + at;
      const to = keys + <usize>i * rowBytes;
      for (let c: usize = 0; c < rowBytes; c += 4) store<f32>(to + c, load<f32>(from + (c << 5)));
      store<i32>(positions + (<usize>i << 2), load<i32>(page + at));
    }
    held = 0;
    for (let i = first; i < end; i++) {
      const slot = load<i32>(slots + (<usize>i << 2));
      const page = pageOf(table, slot);
      if (page != held && format != F32) unpackValues(page, format, d, tile);
      held = page;
      const from = (format == F32 ? valuesOf(page, d, F32) : tile.values) + <usize>(slot & (SLOTS - 1)) * rowBytes;
      memory.copy(values + <usize>i * rowBytes, from, rowBytes);
    }
  }
}
