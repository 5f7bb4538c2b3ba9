/** Factors of rows y [n, width]: σ(w·y), or 0 where that is below `least`. */
export function gatesOf(y: ArrayLike<number>, weights: ArrayLike<number>, least: number): Float64Array {
  const width = weights.length;
  return Float64Array.from({ length: y.length / width }, (_, row) => {
    const products = Array.from(weights, (w, i) => w * (y[row * width + i] ?? Number.NaN));
    const open = 1 / (1 + Math.exp(-products.reduce((sum, one) => sum + one, 0)));
    return open < least ? 0 : open;
  });
}
