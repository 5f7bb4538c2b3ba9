import { headOf, usedOf } from '../append/page.assembly';
import { address, int, take } from '../assembly/args';

/** How far a program has come: the words of `stepWords` (index.ts). */
@unmanaged
class Steps {
  left: i32;
  done: i32;
  goesOn: i32;
}

/**
 * Keeps the tokens that were chosen, and if steps are left and not all tokens end their texts makes ready for the next: the
 * tokens become ids, heads have one more used slot, and blocks of input are replaced by those of the step, which lie so many
 * blocks behind. To be taken by all of the threads, one of which does it while no other command runs.
 * Arguments: steps, n, tokens [n], ids [n], taken [steps, n], ends [m], m, then a number of { heads, count } and of
 * { block, bytes }.
 */
export function repeat(args: usize, counter: usize, program: usize, threads: i32): void {
  if (take(counter) % threads != 0) return;
  const steps = changetype<Steps>(address(args, 0));
  const n = int(args, 1);
  const tokens = address(args, 2);
  const bytes = <usize>n << 2;
  memory.copy(address(args, 4) + <usize>steps.done * bytes, tokens, bytes);
  steps.done++;
  steps.goesOn = steps.left > 0 && !allIn(address(args, 5), int(args, 6), tokens, n) ? 1 : 0;
  if (steps.goesOn == 0) return;
  steps.left--;
  memory.copy(address(args, 3), tokens, bytes);
  let at: usize = 7;
  let pairs = int(args, at++);
  for (; pairs > 0; pairs--, at += 2) advance(address(args, at), int(args, at + 1));
  pairs = int(args, at++);
  for (; pairs > 0; pairs--, at += 2) {
    const block = address(args, at), size = <usize>int(args, at + 1);
    memory.copy(block, block + <usize>steps.done * size, size);
  }
  // Nobody has taken anything yet of what comes again.
  for (; program + 16 != args; program += 16 + (<usize>load<i32>(program, 4) << 2)) store<i32>(program, 0, 12);
}

/** Whether the program begins again, behind the barrier at which all threads meet after `repeat`. */
export function goesOn(args: usize): bool {
  return changetype<Steps>(address(args, 0)).goesOn != 0;
}

function advance(heads: usize, count: i32): void {
  for (let head = 0; head < count; head++) {
    const entry = headOf(heads, head);
    store<i32>(entry, usedOf(entry) + 1, 4);
  }
}

function allIn(ids: usize, count: i32, tokens: usize, n: i32): bool {
  for (let i: usize = 0; i < <usize>n; i++) if (!isIn(ids, count, load<i32>(tokens + (i << 2)))) return false;
  return true;
}

function isIn(ids: usize, count: i32, id: i32): bool {
  for (const end = ids + (<usize>count << 2); ids < end; ids += 4) if (load<i32>(ids) == id) return true;
  return false;
}
