import { address, int, take } from '../assembly/args';
import { heapify, ranked, takeBest } from '../assembly/heap';
import { exp, larger, largest } from '../assembly/simd';
import { sumOfPowers } from '../loss/assembly';

/** How a row's token is chosen: the words of `choiceWords` (index.ts). */
@unmanaged
class Choice {
  temperature: f32;
  topK: i32;
  topP: f32;
  /** How far below the largest logit others may be, in temperatures. */
  reach: f32;
  draw: u32;
  adjustments: usize;
  adjusted: i32;
}
// @ts-ignore: decorator
@inline const CHOICE: usize = 32;
/** Of one adjusted logit: id, f32 penalty, f32 shift. */
// @ts-ignore: decorator
@inline const ADJUSTMENT: usize = 12;
/** The reach of what is not limited: `farthest` of index.ts. */
// @ts-ignore: decorator
@inline const FAR: f32 = 30;
/** Within so many temperatures of the largest logit lies nearly always what is drawn. */
// @ts-ignore: decorator
@inline const NEAR: f32 = 8;
/** What sums of powers need, before the list of candidates. */
// @ts-ignore: decorator
@inline const SPARE: usize = 64;

/**
 * Chooses a column of every row; −1 where a row holds a NaN or nothing above −∞.
 * Arguments: x (adjusted in place), stride in floats, n, columns, choices [n], out i32 [n].
 */
export function choose(args: usize, counter: usize, scratch: usize): void {
  const x = address(args, 0);
  const stride = <usize>int(args, 1) << 2;
  const n = int(args, 2);
  const columns = int(args, 3);
  const choices = address(args, 4);
  const out = address(args, 5);
  for (let r = take(counter); r < n; r = take(counter)) {
    const row = x + <usize>r * stride;
    const choice = changetype<Choice>(choices + <usize>r * CHOICE);
    adjust(row, choice.adjustments, choice.adjusted);
    let chosen = largestAt(row, columns);
    if (chosen >= 0 && choice.temperature > 0) chosen = drawn(row, columns, chosen, choice, scratch);
    store<i32>(out + (<usize>r << 2), chosen);
  }
}

function adjust(row: usize, at: usize, count: i32): void {
  for (const end = at + <usize>count * ADJUSTMENT; at < end; at += ADJUSTMENT) {
    const to = row + (<usize>load<i32>(at) << 2), x = load<f32>(to), penalty = load<f32>(at, 4);
    store<f32>(to, (x > 0 ? x / penalty : x * penalty) + load<f32>(at, 8));
  }
}

/** The column of the largest number, the first of equal ones; −1 where there is a NaN or nothing above −∞. */
function largestAt(row: usize, columns: i32): i32 {
  const end = row + (<usize>(columns & ~15) << 2), all = row + (<usize>columns << 2);
  let a = f32x4.splat(-Infinity), b = a, c = a, d = a;
  let sound = i32x4.splat(-1);
  let at = row;
  for (; at < end; at += 64) {
    const x0 = v128.load(at), x1 = v128.load(at, 16), x2 = v128.load(at, 32), x3 = v128.load(at, 48);
    a = larger(a, x0), b = larger(b, x1), c = larger(c, x2), d = larger(d, x3);
    const low = v128.and(f32x4.eq(x0, x0), f32x4.eq(x1, x1));
    sound = v128.and(sound, v128.and(low, v128.and(f32x4.eq(x2, x2), f32x4.eq(x3, x3))));
  }
  if (!i32x4.all_true(sound)) return -1;
  let m = largest(larger(larger(a, b), larger(c, d)));
  for (; at < all; at += 4) {
    const y = load<f32>(at);
    if (y != y) return -1;
    if (y > m) m = y;
  }
  if (m == -Infinity) return -1;
  const mm = f32x4.splat(m);
  at = row;
  while (at < end && !v128.any_true(f32x4.eq(v128.load(at), mm))) at += 16;
  while (load<f32>(at) != m) at += 4;
  return <i32>((at - row) >> 2);
}

/** The column at which the cumulated probabilities of what is kept, the most likely (`best`) first, reach the draw. */
function drawn(row: usize, columns: i32, best: i32, choice: Choice, scratch: usize): i32 {
  const list = scratch + SPARE, top = load<f32>(row + (<usize>best << 2));
  const temperature = choice.temperature, inverse = <f32>1 / temperature;
  // Beyond a finite number nothing else has a chance, and neither has it where temperatures are next to nothing.
  if (top == Infinity || inverse == Infinity) return best;
  const part = <f64>choice.draw / 4294967296, topP = <f64>choice.topP;
  // What is limited in number or reach is weighed by itself, the rest over all columns.
  const isLimited = choice.topK > 0 || choice.reach < FAR;
  const all = isLimited ? 0 : sumOfPowers(row, columns, top, inverse, scratch);
  for (let width = isLimited && choice.topK == 0 ? choice.reach : min(choice.reach, NEAR); ; width = choice.reach) {
    const isWhole = width >= choice.reach;
    const size = gather(row, columns, top - width * temperature, list);
    if (size < choice.topK && !isWhole) continue;
    heapify(list, size);
    // Candidates leave the heap in order and stand behind it, from the end of the list backwards.
    const end = choice.topK > 0 ? max(0, size - choice.topK) : 0;
    let left = size;
    let mass = all;
    if (isLimited) while (left > end) mass += takeNext(row, top, inverse, list, left--);
    const share = mass * (topP < 1 ? topP : part);
    let reached: f64 = 0, at = size;
    while (reached < share || at == size) {
      if (at == end) break;
      if (at == left) takeNext(row, top, inverse, list, left--);
      reached += weightAt(list, --at);
    }
    // Rounding aside, only what lies beyond the width can be missing.
    if (reached < share && !isWhole) continue;
    if (topP < 1) {
      const target = reached * part;
      reached = weightAt(list, size - 1), at = size - 1;
      while (reached < target && at > end) reached += weightAt(list, --at);
    }
    return load<i32>(list + (<usize>at << 3));
  }
}

/** Makes a list of the numbers not below a limit; returns how many there are. */
function gather(row: usize, columns: i32, limit: f32, list: usize): i32 {
  const first = list, end = row + (<usize>(columns & ~15) << 2), limits = f32x4.splat(limit);
  let column = 0;
  for (; row < end; row += 64, column += 16) {
    const low = v128.or(f32x4.ge(v128.load(row), limits), f32x4.ge(v128.load(row, 16), limits));
    const high = v128.or(f32x4.ge(v128.load(row, 32), limits), f32x4.ge(v128.load(row, 48), limits));
    if (v128.any_true(v128.or(low, high))) list = gatherFew(row, column, 16, limit, list);
  }
  return <i32>((gatherFew(row, column, columns & 15, limit, list) - first) >> 3);
}

/** The same number by number, for some columns; returns where the list ends. */
function gatherFew(row: usize, column: i32, count: i32, limit: f32, list: usize): usize {
  for (const end = column + count; column < end; column++, row += 4) {
    const x = load<f32>(row);
    if (x < limit) continue;
    // −0 becomes 0, whose equal it is.
    store<i64>(list, ranked(x + 0, column));
    list += 8;
  }
  return list;
}

/** Takes the best of `left` out of the heap; its column and weight, e^((x − top) / temperature), take the place that becomes free. */
function takeNext(row: usize, top: f32, inverse: f32, list: usize, left: i32): f32 {
  const column = takeBest(list, left), to = list + (<usize>(left - 1) << 3);
  const x = load<f32>(row + (<usize>column << 2));
  const weight = f32x4.extract_lane(exp(f32x4.splat((x - top) * inverse)), 0);
  store<i32>(to, column);
  store<f32>(to, weight, 4);
  return weight;
}

// @ts-ignore: decorator
@inline function weightAt(list: usize, at: i32): f64 {
  return <f64>load<f32>(list + (<usize>at << 3), 4);
}
