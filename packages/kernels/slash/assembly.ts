// Columns and diagonals of the attention of a few rows, and what blocks of rows read by them (the vertical-slash pattern of
// MInference, Jiang et al. 2024).
import { headOf, SLOTS, usedOf } from '../append/page.assembly';
import { address, int, take } from '../assembly/args';
import { putRange } from '../assembly/bits';
import { heapify, ranked, takeBest } from '../assembly/heap';
import { writeList } from '../attend/list.assembly';

/**
 * Sums up the weights of the last r of n rows by column and by diagonal, chooses the largest sums, and lists for every block
 * of rows the slots that they cross. Arguments: 0 weights [r, h, stride], 1 r, 2 h, 3 g, 4 stride, 5 heads [g], 6 n,
 * 7 rows of a block, 8 slots that are one column, 9 columns that are chosen, 10 diagonals that are, 11 slots at the beginning
 * and 12 diagonals behind the queries' own that are read in any case, 13 out: lists [blocks, h] as `attend` reads them, 14
 * bytes from list to list, 15 room, 16 bytes of it for a head, 17 counts i64 [3].
 */
export function slashLists(args: usize, counter: usize): void {
  const h = int(args, 2);
  const n = int(args, 6);
  const rows = int(args, 7);
  for (let head = take(counter); head < h; head = take(counter)) {
    const used = usedOf(headOf(address(args, 5), head / (h / int(args, 3))));
    const slots = used + n;
    const sums = address(args, 15) + <usize>head * <usize>int(args, 16);
    const heap = sums + (<usize>((slots + 9) & ~1) << 2);
    const columns = heap + (<usize>slots << 3);
    const diagonals = columns + (<usize>int(args, 9) << 2);
    const bits = diagonals + (<usize>int(args, 10) << 2);
    const chosenColumns = chooseColumns(args, head, slots, sums, heap, columns);
    const chosenDiagonals = chooseDiagonals(args, head, slots, sums, heap, diagonals);
    atomic.add<i64>(address(args, 17), <i64>int(args, 1) * slots, 16);
    for (let block = 0; block * rows < n; block++) {
      const from = used + block * rows, to = min(from + rows, slots);
      memory.fill(bits, 0, <usize>((to + SLOTS - 1) >> 5) << 2);
      putRange(bits, 0, min(to, int(args, 11)));
      putRange(bits, max(0, from - int(args, 12) + 1), to);
      for (let i = 0; i < chosenColumns; i++) {
        const column = load<i32>(columns + (<usize>i << 2)) * int(args, 8);
        putRange(bits, column, min(to, column + int(args, 8)));
      }
      for (let i = 0; i < chosenDiagonals; i++) {
        const behind = load<i32>(diagonals + (<usize>i << 2));
        putRange(bits, max(0, from - behind), max(0, to - behind));
      }
      const list = address(args, 13) + <usize>(block * h + head) * <usize>int(args, 14);
      writeList(bits, (to + SLOTS - 1) >> 5, list);
    }
  }
}

/** Writes which columns of a head have the largest sums, of those behind the first slots, and returns how many they are. */
function chooseColumns(args: usize, head: i32, slots: i32, sums: usize, heap: usize, chosen: usize): i32 {
  const width = int(args, 8);
  memory.fill(sums, 0, <usize>slots + 8 << 2);
  for (let i = 0; i < int(args, 1); i++) add(weightsOf(args, i, head), slots, sums);
  let size = 0;
  for (let at = int(args, 11) / width * width; at < slots; at += width) {
    let total: f32 = 0;
    for (let s = at; s < min(slots, at + width); s++) total += load<f32>(sums + (<usize>s << 2));
    store<i64>(heap + (<usize>size << 3), ranked(total, at / width));
    size++;
  }
  return takeSome(heap, size, int(args, 9), chosen);
}

/** The same for how far diagonals are behind the queries' own slots, of those that are not read in any case. */
function chooseDiagonals(args: usize, head: i32, slots: i32, sums: usize, heap: usize, chosen: usize): i32 {
  const r = int(args, 1);
  memory.fill(sums, 0, <usize>slots + 8 << 2);
  // From the last diagonal to the first, so that they ascend as slots do.
  for (let i = 0; i < r; i++) add(weightsOf(args, i, head), slots - r + 1 + i, sums + (<usize>(r - 1 - i) << 2));
  let size = 0;
  for (let behind = int(args, 12); behind < slots; behind++) {
    const total = load<f32>(sums + (<usize>(slots - 1 - behind) << 2));
    store<i64>(heap + (<usize>size << 3), ranked(total, behind));
    size++;
  }
  return takeSome(heap, size, int(args, 10), chosen);
}

// @ts-ignore: decorator
@inline function weightsOf(args: usize, i: i32, head: i32): usize {
  return address(args, 0) + <usize>(i * int(args, 2) + head) * (<usize>int(args, 4) << 2);
}

/** Adds the first `count` numbers, and what follows them up to a multiple of 4. */
function add(x: usize, count: i32, to: usize): void {
  for (let i: usize = 0; i < <usize>count << 2; i += 16) {
    v128.store(to + i, f32x4.add(v128.load(to + i), v128.load(x + i)));
  }
}

function takeSome(heap: usize, size: i32, most: i32, chosen: usize): i32 {
  heapify(heap, size);
  const count = min(size, most);
  for (let i = 0; i < count; i++) store<i32>(chosen + (<usize>i << 2), takeBest(heap, size - i));
  return count;
}
