import { address, int, take } from '../assembly/args';

/** Gathers rows. Arguments: from, from's stride in floats, row numbers [n], n, columns, out [n, columns]. */
export function copy(args: usize, counter: usize): void {
  const from = address(args, 0);
  const stride = <usize>int(args, 1) << 2;
  const rows = address(args, 2);
  const n = int(args, 3);
  const bytes = <usize>int(args, 4) << 2;
  const out = address(args, 5);
  for (let r = take(counter); r < n; r = take(counter)) {
    memory.copy(out + <usize>r * bytes, from + <usize>load<i32>(rows + (<usize>r << 2)) * stride, bytes);
  }
}
