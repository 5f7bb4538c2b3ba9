// What is ranked by a float, as numbers in a heap: the score in bits that sort as integers, and the complement of what was
// scored, so that of equal scores the first comes first. 8 bytes each.

/** A number of the heap. */
// @ts-ignore: decorator
@inline export function ranked(score: f32, index: i32): i64 {
  const bits = reinterpret<i32>(score);
  return (<i64>(bits ^ ((bits >> 31) & 0x7fffffff)) << 32) | <i64><u32>~index;
}

/** Makes a heap of `size` numbers in any order. */
export function heapify(heap: usize, size: i32): void {
  for (let i = (size >> 1) - 1; i >= 0; i--) sink(heap, size, i);
}

/** Takes the best out of a heap of `size` numbers, one fewer afterwards, and returns which it was. */
export function takeBest(heap: usize, size: i32): i32 {
  const best = ~<i32>load<i64>(heap);
  store<i64>(heap, load<i64>(heap + (<usize>(size - 1) << 3)));
  sink(heap, size - 1, 0);
  return best;
}

/** Lets the i-th number of a heap sink to where none below it is larger. */
function sink(heap: usize, size: i32, i: i32): void {
  const value = load<i64>(heap + (<usize>i << 3));
  for (;;) {
    let child = 2 * i + 1;
    if (child >= size) break;
    let larger = load<i64>(heap + (<usize>child << 3));
    if (child + 1 < size && load<i64>(heap + (<usize>child << 3), 8) > larger) {
      child++;
      larger = load<i64>(heap + (<usize>child << 3));
    }
    if (larger <= value) break;
    store<i64>(heap + (<usize>i << 3), larger);
    i = child;
  }
  store<i64>(heap + (<usize>i << 3), value);
}
