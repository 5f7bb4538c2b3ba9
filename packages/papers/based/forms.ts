/**
 * Linear attention with the second-order Taylor series of the exponential as its weights (Arora et al. 2024, section 4.1), in
 * the three forms of one definition: o_i = Σ p(s_ij) v_j / Σ p(s_ij) over j ≤ i, with s_ij = q_i·k_j / √f and p(s) = 1 + s + s²/2.
 * q and k are [batch, heads, n, f], v is [batch, heads, n, e].
 */
import { featureCount } from '@loci/kernels';
import * as f from '@loci/lab/arrays';
import { lower } from '../mixing/triangle.ts';

type Tensor = f.Tensor;

/** Numbers of the feature map for heads of this width: 1, every channel, every pair of channels once. */
export function features(width: number): number {
  return featureCount('taylor', width);
}

/** φ(x) with φ(q)·φ(k) = p(q·k / √f): [… n, f] → [… n, features]. */
export function taylorMap(x: Tensor): Tensor {
  const width = f.dimension(x, -1);
  const leading = x.shape.slice(0, -1);
  const rows = f.reshape(x, [-1, width]);
  const count = f.dimension(rows, 0);
  const outer = f.mul(f.reshape(rows, [count, width, 1]), f.reshape(rows, [count, 1, width]));
  const pairs = f.matmul(f.reshape(outer, [count, width * width]), pairMatrix(width));
  const ones = f.broadcast(f.constant([1, 1], [1]), [count, 1]);
  return f.reshape(f.concat([ones, f.affine(rows, width ** -0.25), pairs], 1), [...leading, features(width)]);
}

const pairMatrices = new Map<number, Tensor>();

/** Picks x_a² / √(2f) and, for a > b, x_a x_b / √f out of all products of two channels. */
function pairMatrix(width: number): Tensor {
  const known = pairMatrices.get(width);
  if (known) return known;
  const columns = (width * (width + 1)) / 2;
  const picks = new Float32Array(width * width * columns);
  let column = 0;
  for (let a = 0; a < width; a++) {
    for (let b = 0; b <= a; b++)
      picks[(a * width + b) * columns + column++] = (a === b ? 1 : Math.SQRT2) / Math.sqrt(2 * width);
  }
  const found = f.constant([width * width, columns], picks);
  pairMatrices.set(width, found);
  return found;
}

/** p(s) of queries against keys, 0 where a key comes after its query. */
function weights(q: Tensor, k: Tensor): Tensor {
  const n = f.dimension(q, -2);
  const scores = f.affine(f.matmul(q, f.transpose(k)), f.dimension(q, -1) ** -0.5);
  const series = f.affine(f.square(f.affine(scores, 1, 1)), 0.5, 0.5);
  return f.mul(series, lower(n, 1));
}

/** All queries against all keys. */
export function parallel(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const a = weights(q, k);
  return f.div(f.matmul(a, v), f.sum(a, -1));
}

/** Weights within chunks of so many tokens, and between them the sums Σ φ(k) vᵀ and Σ φ(k). */
export function chunked(q: Tensor, k: Tensor, v: Tensor, size: number): Tensor {
  const n = f.dimension(q, 2);
  const outputs: Tensor[] = [];
  let state: { readonly values: Tensor; readonly keys: Tensor } | undefined;
  for (let from = 0; from < n; from += size) {
    const [qc, kc, vc] = [q, k, v].map((x) => f.slice(x, 2, from, Math.min(n, from + size)));
    if (!qc || !kc || !vc) break;
    const a = weights(qc, kc);
    let [sums, total] = [f.matmul(a, vc), f.sum(a, -1)];
    if (state) {
      const mapped = taylorMap(qc);
      sums = f.add(sums, f.matmul(mapped, state.values));
      total = f.add(total, f.matmul(mapped, state.keys));
    }
    outputs.push(f.div(sums, total));
    if (from + size >= n) break;
    const mapped = f.transpose(taylorMap(kc));
    const [values, keys] = [f.matmul(mapped, vc), f.sum(mapped, -1)];
    state = state ? { values: f.add(state.values, values), keys: f.add(state.keys, keys) } : { values, keys };
  }
  return f.concat(outputs, 2);
}

/** Token by token, with nothing but the two sums: how a model decodes. */
export function recurrent(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const outputs: Tensor[] = [];
  let [values, keys]: (Tensor | undefined)[] = [];
  for (let t = 0; t < f.dimension(q, 2); t++) {
    const [qt, kt, vt] = [q, k, v].map((x) => f.slice(x, 2, t, t + 1));
    if (!qt || !kt || !vt) break;
    const mapped = f.transpose(taylorMap(kt));
    const product = f.matmul(mapped, vt);
    values = values ? f.add(values, product) : product;
    keys = keys ? f.add(keys, mapped) : mapped;
    const query = taylorMap(qt);
    outputs.push(f.div(f.matmul(query, values), f.matmul(query, keys)));
  }
  return f.concat(outputs, 2);
}
