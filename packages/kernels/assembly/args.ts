// A command's arguments are 32-bit words in shared memory; these read the n-th one.

// @ts-ignore: decorator
@inline export function int(args: usize, n: usize): i32 {
  return load<i32>(args + (n << 2));
}

// @ts-ignore: decorator
@inline export function address(args: usize, n: usize): usize {
  return <usize>load<u32>(args + (n << 2));
}

// @ts-ignore: decorator
@inline export function float(args: usize, n: usize): f32 {
  return load<f32>(args + (n << 2));
}

/** The next piece of work that no thread has taken yet; every thread calls it until it gets `≥ count`. */
// @ts-ignore: decorator
@inline export function take(counter: usize): i32 {
  return atomic.add<i32>(counter, 1);
}

/**
 * How many of n rows a thread takes at once. Neighbours lie in one cache line of what is written, and the counter in one for all:
 * rows that go to threads in turn take longer than on a single thread.
 */
// @ts-ignore: decorator
@inline export function rowsAtOnce(n: i32): i32 {
  return n < 64 ? 4 : 16;
}
