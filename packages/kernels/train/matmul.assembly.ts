// Products of strided float32 matrices: C = A·B or C += A·B, many of them at once. Each operand is given by the distances
// between its rows and between its columns, so that a transposed matrix is only other distances.
import { address, int, take } from '../assembly/args';
import { madd, store4 } from '../assembly/simd';

/** Products that are added in registers before the sum goes to memory. */
// @ts-ignore: decorator
@inline const DEPTH: i32 = 256;
/** Columns of a panel: four vectors, which V8 joins into two. */
// @ts-ignore: decorator
@inline const PANEL: i32 = 16;
/** Bytes of a tile, 4 rows of a panel, and of a packed panel. */
// @ts-ignore: decorator
@inline const TILE: usize = 256;
// @ts-ignore: decorator
@inline const PACKED: usize = 16384;

/** 4 rows × 16 columns: c = (or +=) Σ over `depth` of a (4 rows `aRow` apart, steps of `aStep`) times b (rows `bRow` apart). */
function tile(a: usize, a1: usize, a2: usize, a3: usize, aStep: usize, b: usize, bRow: usize, depth: i32, c: usize, cRow: usize, adds: bool): void {
  // What is there is always read, and then kept or not: a branch here would keep V8 from joining the first row's vectors.
  const kept = i32x4.splat(-<i32>adds);
  const c1 = c + cRow, c2 = c1 + cRow, c3 = c2 + cRow;
  let e0 = v128.and(v128.load(c), kept), e1 = v128.and(v128.load(c, 16), kept);
  let e2 = v128.and(v128.load(c, 32), kept), e3 = v128.and(v128.load(c, 48), kept);
  let f0 = v128.and(v128.load(c1), kept), f1 = v128.and(v128.load(c1, 16), kept);
  let f2 = v128.and(v128.load(c1, 32), kept), f3 = v128.and(v128.load(c1, 48), kept);
  let g0 = v128.and(v128.load(c2), kept), g1 = v128.and(v128.load(c2, 16), kept);
  let g2 = v128.and(v128.load(c2, 32), kept), g3 = v128.and(v128.load(c2, 48), kept);
  let h0 = v128.and(v128.load(c3), kept), h1 = v128.and(v128.load(c3, 16), kept);
  let h2 = v128.and(v128.load(c3, 32), kept), h3 = v128.and(v128.load(c3, 48), kept);
  for (let k = 0; k < depth; k++) {
    const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
    let x = v128.load32_splat(a);
    e0 = madd(b0, x, e0), e1 = madd(b1, x, e1), e2 = madd(b2, x, e2), e3 = madd(b3, x, e3);
    x = v128.load32_splat(a1);
    f0 = madd(b0, x, f0), f1 = madd(b1, x, f1), f2 = madd(b2, x, f2), f3 = madd(b3, x, f3);
    x = v128.load32_splat(a2);
    g0 = madd(b0, x, g0), g1 = madd(b1, x, g1), g2 = madd(b2, x, g2), g3 = madd(b3, x, g3);
    x = v128.load32_splat(a3);
    h0 = madd(b0, x, h0), h1 = madd(b1, x, h1), h2 = madd(b2, x, h2), h3 = madd(b3, x, h3);
    a += aStep, a1 += aStep, a2 += aStep, a3 += aStep;
    b += bRow;
  }
  store4(c, e0, e1, e2, e3);
  store4(c1, f0, f1, f2, f3);
  store4(c2, g0, g1, g2, g3);
  store4(c3, h0, h1, h2, h3);
}

/** Columns [0, columns) of `depth` rows as [depth][16], zeros behind them. */
function packPanel(b: usize, row: usize, column: usize, depth: i32, columns: i32, to: usize): void {
  if (columns == PANEL && column == 4) {
    for (let k = 0; k < depth; k++) {
      const v0 = v128.load(b), v1 = v128.load(b, 16), v2 = v128.load(b, 32), v3 = v128.load(b, 48);
      store4(to, v0, v1, v2, v3);
      b += row;
      to += 64;
    }
    return;
  }
  for (let j = 0; j < PANEL; j++) {
    let from = b + <usize>j * column, at = to + (<usize>j << 2);
    if (j < columns) {
      for (let k = 0; k < depth; k++) store<f32>(at, load<f32>(from)), from += row, at += 64;
    } else {
      for (let k = 0; k < depth; k++) store<f32>(at, 0), at += 64;
    }
  }
}

/** Rows of A as [rows / 4][depth][4]; the last row stands in for those behind it. `row` is 4 bytes or the column is. */
function packRows(a: usize, row: usize, column: usize, depth: i32, rows: i32, to: usize): void {
  for (let r = 0; r < rows; r += 4) {
    let from = a + <usize>r * row;
    if (row == 4 && r + 4 <= rows) {
      for (let k = 0; k < depth; k++) v128.store(to, v128.load(from)), from += column, to += 16;
    } else {
      for (let k = 0; k < depth; k++) {
        for (let i = 0; i < 4; i++) store<f32>(to + (<usize>i << 2), load<f32>(from + <usize>min(i, rows - 1 - r) * row));
        from += column, to += 16;
      }
    }
  }
}

/**
 * Arguments: a, b, c; m, n, k; row and column distances of a, of b, row distance of c (in floats); whether it adds to c;
 * rows and panels that a thread takes at a time; batches (outer, inner) and the distances between theirs in a, b and c.
 * Each element of C is summed by one thread in the order of k.
 */
export function matmul(args: usize, counter: usize, scratch: usize): void {
  const m = int(args, 3), n = int(args, 4), depth = int(args, 5);
  const aRow = <usize>int(args, 6) << 2, aColumn = <usize>int(args, 7) << 2;
  const bRow = <usize>int(args, 8) << 2, bColumn = <usize>int(args, 9) << 2, cRow = <usize>int(args, 10) << 2;
  const adds = int(args, 11) != 0;
  const rowsAtOnce = int(args, 12), panelsAtOnce = int(args, 13);
  const inner = int(args, 15);
  const panels = (n + PANEL - 1) / PANEL;
  const blocks = (m + rowsAtOnce - 1) / rowsAtOnce, groups = (panels + panelsAtOnce - 1) / panelsAtOnce;
  const each = blocks * groups, count = int(args, 14) * inner * each;
  for (let t = take(counter); t < count; t = take(counter)) {
    const batch = t / each, outerAt = <usize>(batch / inner), innerAt = <usize>(batch % inner);
    const block = (t % each) / groups, group = t % groups;
    const row = block * rowsAtOnce, rows = min(rowsAtOnce, m - row);
    const a = address(args, 0) + ((outerAt * int(args, 16) + innerAt * int(args, 17)) << 2) + <usize>row * aRow;
    const b = address(args, 1) + ((outerAt * int(args, 18) + innerAt * int(args, 19)) << 2);
    const c = address(args, 2) + ((outerAt * int(args, 20) + innerAt * int(args, 21)) << 2) + <usize>row * cRow;
    const from = group * panelsAtOnce, to = min(panels, from + panelsAtOnce);
    if (depth == 0 && !adds) zeros(c + (<usize>from << 6), rows, min(n - from * PANEL, panelsAtOnce * PANEL), cRow);
    for (let k = 0; k < depth; k += DEPTH) {
      product(a + <usize>k * aColumn, aRow, aColumn, b + <usize>k * bRow, bRow, bColumn, c, cRow, rows, n, min(DEPTH, depth - k), from, to, adds || k > 0, scratch);
    }
  }
}

function zeros(c: usize, rows: i32, columns: i32, cRow: usize): void {
  for (let r = 0; r < rows; r++) memory.fill(c + <usize>r * cRow, 0, <usize>columns << 2);
}

function product(
  a: usize, aRow: usize, aColumn: usize, b: usize, bRow: usize, bColumn: usize, c: usize, cRow: usize,
  rows: i32, n: i32, depth: i32, from: i32, to: i32, adds: bool, scratch: usize,
): void {
  const panel = scratch + TILE, packedRows = panel + PACKED;
  // Rows that lie side by side would bring in a line of the cache for 16 bytes of it.
  const packsRows = aColumn != 4 && to - from > 1;
  if (packsRows) packRows(a, aRow, aColumn, depth, rows, packedRows);
  for (let p = from; p < to; p++) {
    const columns = min(PANEL, n - p * PANEL);
    const cp = c + (<usize>p << 6);
    let bp = b + <usize>p * PANEL * bColumn, bStep = bRow;
    if (columns < PANEL || bColumn != 4 || (rows > 64 && bRow != 64)) {
      packPanel(bp, bRow, bColumn, depth, columns, panel);
      bp = panel, bStep = 64;
    }
    for (let r = 0; r < rows; r += 4) {
      let a0 = a + <usize>r * aRow, step = aColumn, distance = aRow;
      if (packsRows) a0 = packedRows + <usize>(r >> 2) * (<usize>depth << 4), step = 16, distance = 4;
      const left = rows - r;
      const a1 = a0 + (packsRows || left > 1 ? distance : 0), a2 = packsRows || left > 2 ? a1 + distance : a1;
      const a3 = packsRows || left > 3 ? a2 + distance : a2;
      const out = cp + <usize>r * cRow;
      if (left >= 4 && columns == PANEL) tile(a0, a1, a2, a3, step, bp, bStep, depth, out, cRow, adds);
      else {
        const height = min(4, left);
        if (adds) copyTile(out, cRow, scratch, 64, height, columns);
        tile(a0, a1, a2, a3, step, bp, bStep, depth, scratch, 64, adds);
        copyTile(scratch, 64, out, cRow, height, columns);
      }
    }
  }
}

function copyTile(from: usize, fromRow: usize, to: usize, toRow: usize, rows: i32, columns: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const at = <usize>c << 2;
      store<f32>(to + <usize>r * toRow + at, load<f32>(from + <usize>r * fromRow + at));
    }
  }
}
