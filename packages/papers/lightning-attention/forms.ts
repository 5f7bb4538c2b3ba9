/**
 * Lightning attention (Qin et al. 2024): o_t = Σ exp(−s (t − j)) (q_t·k_j) v_j over j ≤ t, in the three forms of one
 * definition. q and k are [batch, heads, n, d], v is [batch, heads, n, e]; a slope s ≥ 0 per head.
 */
import * as f from '@loci/lab/arrays';

type Tensor = f.Tensor;

/** Per head exp(−s · distance) for a matrix of distances; negative ones give 0. */
function decays(
  slopes: readonly number[],
  rows: number,
  columns: number,
  distance: (r: number, c: number) => number,
): Tensor {
  const numbers = slopes.flatMap((slope) =>
    Array.from({ length: rows * columns }, (_, i) => {
      const apart = distance(Math.floor(i / columns), i % columns);
      // Never the exponential of a large number: infinity times 0 is none.
      return apart < 0 ? 0 : Math.exp(-slope * apart);
    }),
  );
  return f.constant([slopes.length, rows, columns], numbers);
}

/** What a block of m tokens is multiplied by. */
function blockDecays(slopes: readonly number[], m: number) {
  return {
    within: decays(slopes, m, m, (i, j) => i - j),
    sinceState: decays(slopes, m, 1, (i) => i + 1),
    untilEnd: decays(slopes, m, 1, (i) => m - 1 - i),
    whole: decays(slopes, 1, 1, () => m),
  };
}

/** The left product: all queries against all keys. */
export function parallel(q: Tensor, k: Tensor, v: Tensor, slopes: readonly number[]): Tensor {
  const n = f.dimension(q, 2);
  return f.matmul(
    f.mul(
      f.matmul(q, f.transpose(k)),
      decays(slopes, n, n, (i, j) => i - j),
    ),
    v,
  );
}

/**
 * The left product within blocks, and a state between them. Blocks have `size` tokens, the last one what is left; or they have
 * the sizes of a list, which the last of it goes on for.
 */
export function chunked(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  slopes: readonly number[],
  size: number | readonly number[],
): Tensor {
  const n = f.dimension(q, 2);
  const sizes = typeof size === 'number' ? [size] : size;
  const known = new Map<number, ReturnType<typeof blockDecays>>();
  const outputs: Tensor[] = [];
  let state: Tensor | undefined;
  for (let from = 0; from < n; ) {
    const m = Math.min(sizes[outputs.length] ?? sizes.at(-1) ?? n, n - from);
    const [qc, kc, vc] = [q, k, v].map((x) => f.slice(x, 2, from, from + m));
    if (!qc || !kc || !vc) break;
    const block = known.get(m) ?? blockDecays(slopes, m);
    known.set(m, block);
    const own = f.matmul(f.mul(f.matmul(qc, f.transpose(kc)), block.within), vc);
    outputs.push(state ? f.add(own, f.mul(f.matmul(qc, state), block.sinceState)) : own);
    from += m;
    if (from === n) break;
    // By the block's own length, not by that of a full one: a block that is cut short leaves the right state too.
    const fresh = f.matmul(f.transpose(f.mul(kc, block.untilEnd)), vc);
    state = state ? f.add(f.mul(state, block.whole), fresh) : fresh;
  }
  return f.concat(outputs, 2);
}

/** Token by token: S ← λ S + k vᵀ, o = qᵀ S. */
export function recurrent(q: Tensor, k: Tensor, v: Tensor, slopes: readonly number[]): Tensor {
  return chunked(q, k, v, slopes, 1);
}

/**
 * Slopes of a layer's heads: 2^(−8h/H) for powers of two, else those of the next lower one and every second of twice as
 * many, times 1 − l / (L − 1) + 10⁻⁵, so that lower layers forget fast. As in the released models, not as in equation 10.
 */
export function slopesOf(heads: number, layer: number, layers: number): readonly number[] {
  const power = 2 ** Math.floor(Math.log2(heads));
  const geometric = (count: number) => Array.from({ length: count }, (_, h) => 2 ** ((-8 * (h + 1)) / count));
  const more = geometric(2 * power).filter((_, i) => i % 2 === 0);
  const base = [...geometric(power), ...more].slice(0, heads);
  const factor = layers > 1 ? 1 - layer / (layers - 1) + 1e-5 : 1;
  return base.map((slope) => slope * factor);
}
