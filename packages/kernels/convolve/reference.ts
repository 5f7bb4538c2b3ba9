/** out[t] = Σ filter[j] x[t − j] of a whole sequence [n, channels], filter [taps, channels]. */
export function convolveReference(x: ArrayLike<number>, filter: ArrayLike<number>, channels: number): Float64Array {
  return Float64Array.from(x, (_, i) => {
    let sum = 0;
    for (let j = 0; j * channels < filter.length && j * channels <= i; j++) {
      sum += (filter[j * channels + (i % channels)] ?? Number.NaN) * (x[i - j * channels] ?? Number.NaN);
    }
    return sum;
  });
}
