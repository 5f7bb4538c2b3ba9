import { headOf, usedOf } from '../append/page.assembly';
import { address, int, take } from '../assembly/args';

/**
 * Adds one to the used slots of heads that stand side by side. Returns whether all tokens end their texts.
 * Arguments: heads [count], count, tokens [n], n, ends [m], m.
 */
export function advance(args: usize, counter: usize): bool {
  const heads = address(args, 0);
  const count = int(args, 1);
  const tokens = address(args, 2);
  const n = int(args, 3);
  const ends = address(args, 4);
  const m = int(args, 5);
  if (take(counter) > 0) return false;
  for (let head = 0; head < count; head++) {
    const entry = headOf(heads, head);
    store<i32>(entry, usedOf(entry) + 1, 4);
  }
  for (let i: usize = 0; i < <usize>n; i++) if (!isIn(ends, m, load<i32>(tokens + (i << 2)))) return false;
  return true;
}

function isIn(ids: usize, count: i32, id: i32): bool {
  for (const end = ids + (<usize>count << 2); ids < end; ids += 4) if (load<i32>(ids) == id) return true;
  return false;
}
