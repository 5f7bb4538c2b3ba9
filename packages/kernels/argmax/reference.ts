/** The column of a row's largest number, the first of equal ones; −1 where it holds a NaN or nothing above −∞. */
export function argmaxReference(row: ArrayLike<number>): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (const [column, x] of Array.from(row).entries()) {
    if (Number.isNaN(x)) return -1;
    if (x <= most) continue;
    most = x;
    best = column;
  }
  return best;
}
