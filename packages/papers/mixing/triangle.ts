import * as f from '@loci/lab/arrays';

const known = new Map<string, f.Tensor>();

/** [n, n]: 1 below the diagonal, and on it where `diagonal` is 1; else 0. */
export function lower(n: number, diagonal: 0 | 1): f.Tensor {
  const key = `${n} ${diagonal}`;
  const found =
    known.get(key) ??
    f.constant(
      [n, n],
      Float32Array.from({ length: n * n }, (_, i) => (i % n < Math.floor(i / n) + diagonal ? 1 : 0)),
    );
  known.set(key, found);
  return found;
}
