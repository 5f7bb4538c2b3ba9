import type { Parameters } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { LociError } from 'loci';

type Tensor = f.Tensor;

/** @throws LociError `bad-option` where the heads do not divide the model's width. */
export function checkHeads(spec: string, heads: number, width: number): void {
  if (width % heads !== 0) throw new LociError('bad-option', `--mix ${spec}: ${heads} heads do not divide ${width}`);
}

/** What lies side by side for all heads, [batch, n, heads · d], head by head: [batch, heads, n, d]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  return f.permute(f.reshape(x, [f.dimension(x, 0), f.dimension(x, 1), heads, -1]), [0, 2, 1, 3]);
}

/**
 * Queries, keys and values of x [batch, n, c], the products with the parameters `query`, `key` and `value`, go through a form
 * head by head, [batch, heads, n, d] each; its results stand side by side again: [batch, n, c].
 */
export function perHead(
  x: Tensor,
  parameters: Parameters,
  heads: number,
  form: (q: Tensor, k: Tensor, v: Tensor) => Tensor,
): Tensor {
  const split = (name: string) => splitHeads(f.matmul(x, parameters(name)), heads);
  const y = form(split('query'), split('key'), split('value'));
  return f.reshape(f.permute(y, [0, 2, 1, 3]), x.shape);
}
