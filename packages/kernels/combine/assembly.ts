import { address, int, take } from '../assembly/args';

/** Arguments: a, its stride in floats, b, stride, out, stride, n, columns (a multiple of 4), 0 for a + b and 1 for a · b. */
export function combine(args: usize, counter: usize): void {
  const aStep = <usize>int(args, 1) << 2, bStep = <usize>int(args, 3) << 2, outStep = <usize>int(args, 5) << 2;
  const n = int(args, 6);
  const bytes = <usize>int(args, 7) << 2;
  const multiplies = int(args, 8) != 0;
  for (let r = take(counter); r < n; r = take(counter)) {
    const a = address(args, 0) + <usize>r * aStep, b = address(args, 2) + <usize>r * bStep;
    const out = address(args, 4) + <usize>r * outStep;
    if (multiplies) for (let c: usize = 0; c < bytes; c += 16) v128.store(out + c, f32x4.mul(v128.load(a + c), v128.load(b + c)));
    else for (let c: usize = 0; c < bytes; c += 16) v128.store(out + c, f32x4.add(v128.load(a + c), v128.load(b + c)));
  }
}
