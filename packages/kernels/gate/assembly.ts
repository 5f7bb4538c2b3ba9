import { address, float, int, take } from '../assembly/args';
import { madd, sigmoid, sum } from '../assembly/simd';

/**
 * x [n, columns] in place, each row times σ(w·y) of its row y of another matrix, or 0 where that is below the least. Arguments: 0 x,
 * 1 y, 2 n, 3 columns (a multiple of 4) of x, 4 columns (likewise) of y, 5 w, 6 least.
 */
export function gate(args: usize, counter: usize): void {
  const columns = <usize>int(args, 3) << 2, others = <usize>int(args, 4) << 2;
  for (let row = take(counter); row < int(args, 2); row = take(counter)) {
    const x = address(args, 0) + <usize>row * columns, y = address(args, 1) + <usize>row * others;
    let product = f32x4.splat(0);
    for (let i: usize = 0; i < others; i += 16) product = madd(v128.load(y + i), v128.load(address(args, 5) + i), product);
    const factor = sigmoid(sum(product));
    if (factor < float(args, 6)) memory.fill(x, 0, columns);
    else for (let i: usize = 0; i < columns; i += 16) v128.store(x + i, f32x4.mul(v128.load(x + i), f32x4.splat(factor)));
  }
}
