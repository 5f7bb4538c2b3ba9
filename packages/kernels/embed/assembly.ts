import { address, float, int, take } from '../assembly/args';
import { blockBytes } from '../matmul/layout.assembly';
import { slabOf } from '../matmul/float.assembly';

/** Arguments: table (packed rows), layout, columns, ids [n], n, out [n, columns], factor. */
export function embed(args: usize, counter: usize, scratch: usize): void {
  const table = address(args, 0);
  const layout = int(args, 1);
  const columns = int(args, 2);
  const ids = address(args, 3);
  const n = int(args, 4);
  const out = address(args, 5);
  const factor = float(args, 6);
  // Eight rows are expanded to use one of them: simple, and far below one part in a thousand of a step.
  const bytes = blockBytes(layout, columns);
  for (let t = take(counter); t < n; t = take(counter)) {
    // −1 is a token that could not be chosen: what follows from it is not used.
    const id = max(load<i32>(ids + (<usize>t << 2)), 0);
    const block = table + <usize>(id >> 4) * bytes, octet = <usize>((id >> 3) & 1);
    const lane = <usize>(id & 7) << 2;
    const row = out + <usize>t * (<usize>columns << 2);
    for (let from = 0; from < columns; from += 32) {
      const to = min(from + 32, columns);
      const slab = slabOf(layout, block, octet, columns, from, to, scratch);
      for (let c = from; c < to; c++) {
        store<f32>(row + (<usize>c << 2), load<f32>(slab + (<usize>(c - from) << 5) + lane) * factor);
      }
    }
  }
}
