import { address, int, take } from '../assembly/args';

/**
 * x [n, columns of `count` groups] = x · factor + shift per group. Arguments: x, n, groups, columns of a group, factors
 * [groups], shifts [groups, columns] or 0. A factor of 0 leaves nothing of x, whatever it was.
 */
export function scale(args: usize, counter: usize): void {
  const x = address(args, 0);
  const n = int(args, 1);
  const groups = int(args, 2);
  const bytes = <usize>int(args, 3) << 2;
  const factors = address(args, 4);
  const shifts = address(args, 5);
  for (let r = take(counter); r < n; r = take(counter)) {
    for (let i: usize = 0; i < <usize>groups; i++) {
      const factor = load<f32>(factors + (i << 2));
      const shift = shifts + i * bytes;
      const row = x + (<usize>r * groups + i) * bytes;
      if (factor == 0) memory.fill(row, 0, bytes);
      for (let c: usize = 0; c < bytes; c += 16) {
        const y = f32x4.mul(v128.load(row + c), f32x4.splat(factor));
        v128.store(row + c, shifts ? f32x4.add(y, v128.load(shift + c)) : y);
      }
    }
  }
}
