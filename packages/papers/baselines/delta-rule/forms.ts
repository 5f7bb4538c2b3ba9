/**
 * The delta rule (Schlag et al. 2021, arXiv 2102.11174): S_t = S_{t−1} + β_t k_t (v_t − S_{t−1}ᵀ k_t)ᵀ, o_t = S_tᵀ q_t. What a key
 * had stored is replaced by the share β. q and k are [batch, heads, n, d], v is [batch, heads, n, e], β is [batch, heads, n, 1].
 */
import * as f from '@loci/lab/arrays';
import { lower } from '../../mixing/triangle.ts';

type Tensor = f.Tensor;

/** (1 − a)⁻¹ x for a [… n, n] that is 0 on and above its diagonal: (1 + a)(1 + a²)(1 + a⁴) … x, which ends since aⁿ is 0. */
function solved(a: Tensor, x: Tensor): Tensor {
  const n = f.dimension(a, -1);
  let [power, sum] = [a, f.add(x, f.matmul(a, x))];
  for (let known = 2; known < n; known *= 2) {
    power = f.matmul(power, power);
    sum = f.add(sum, f.matmul(power, sum));
  }
  return sum;
}

/**
 * Chunk by chunk (Yang et al. 2024, arXiv 2406.06484, section 3): within one, what each token really adds to the state follows
 * from a triangular system, and between them stands the state.
 */
export function chunked(q: Tensor, k: Tensor, v: Tensor, beta: Tensor, size: number): Tensor {
  const n = f.dimension(q, 2);
  const outputs: Tensor[] = [];
  let state: Tensor | undefined;
  for (let from = 0; from < n; from += size) {
    const to = Math.min(n, from + size);
    const [qc, kc, vc, bc] = [q, k, v, beta].map((x) => f.slice(x, 2, from, to));
    if (!qc || !kc || !vc || !bc) break;
    const keys = f.transpose(kc);
    const overlap = f.mul(f.mul(f.matmul(kc, keys), lower(to - from, 0)), f.affine(bc, -1));
    const news = f.mul(bc, state ? f.sub(vc, f.matmul(kc, state)) : vc);
    const added = solved(overlap, news);
    const within = f.matmul(f.mul(f.matmul(qc, keys), lower(to - from, 1)), added);
    outputs.push(state ? f.add(within, f.matmul(qc, state)) : within);
    if (to === n) break;
    const change = f.matmul(keys, added);
    state = state ? f.add(state, change) : change;
  }
  return f.concat(outputs, 2);
}

/** Token by token: how a model decodes. */
export function recurrent(q: Tensor, k: Tensor, v: Tensor, beta: Tensor): Tensor {
  return chunked(q, k, v, beta, 1);
}
