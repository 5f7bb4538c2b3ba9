// Sets of whole numbers, 32 to a word.

/** The bits of word `i` that stand for numbers from `from` up to `to`. */
// @ts-ignore: decorator
@inline export function within(i: i32, from: i32, to: i32): i32 {
  const first = i << 5;
  let bits = -1;
  if (from > first) bits &= -1 << (from - first);
  if (to < first + 32) bits &= (1 << (to - first)) - 1;
  return bits;
}

// @ts-ignore: decorator
@inline export function put(bits: usize, i: i32): void {
  const word = bits + (<usize>(i >> 5) << 2);
  store<i32>(word, load<i32>(word) | (1 << (i & 31)));
}

/** Puts the numbers from `from` up to `to`. */
export function putRange(bits: usize, from: i32, to: i32): void {
  for (let i = from >> 5; i << 5 < to; i++) {
    const word = bits + (<usize>i << 2);
    store<i32>(word, load<i32>(word) | within(i, from, to));
  }
}
