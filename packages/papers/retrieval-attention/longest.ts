/** Length of the longest of some rows [n, d]; not finite when a number is not. */
export function longest(rows: Float32Array, d: number): number {
  let most = 0;
  for (let at = 0; at < rows.length; at += d) {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += (rows[at + c] ?? 0) ** 2;
    if (!(sum <= most)) most = sum;
  }
  return Math.sqrt(most);
}
