import { headOf, usedOf } from '../append/page.assembly';
import { address, int, take } from '../assembly/args';

/** Adds n to the used slots of heads that stand side by side. Arguments: heads [count], count, n. */
export function advance(args: usize, counter: usize): void {
  const heads = address(args, 0);
  const count = int(args, 1);
  const n = int(args, 2);
  if (take(counter) > 0) return;
  for (let head = 0; head < count; head++) {
    const entry = headOf(heads, head);
    store<i32>(entry, usedOf(entry) + n, 4);
  }
}
