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

function within(q: Tensor, k: Tensor, v: Tensor, slopes: readonly number[]): Tensor {
  const n = f.dimension(q, 2);
  return f.matmul(
    f.mul(
      f.matmul(q, f.transpose(k)),
      decays(slopes, n, n, (i, j) => i - j),
    ),
    v,
  );
}

/** The left product: all queries against all keys. */
export function parallel(q: Tensor, k: Tensor, v: Tensor, slopes: readonly number[]): Tensor {
  return within(q, k, v, slopes);
}

/** The left product within blocks of so many tokens, and a state between them; the last block may be shorter. */
export function chunked(q: Tensor, k: Tensor, v: Tensor, slopes: readonly number[], size: number): Tensor {
  const n = f.dimension(q, 2);
  const outputs: Tensor[] = [];
  let state: Tensor | undefined;
  for (let from = 0; from < n; from += size) {
    const m = Math.min(size, n - from);
    const [qc, kc, vc] = [q, k, v].map((x) => f.slice(x, 2, from, from + m));
    if (!qc || !kc || !vc) break;
    const own = within(qc, kc, vc, slopes);
    outputs.push(
      state
        ? f.add(
            own,
            f.mul(
              f.matmul(qc, state),
              decays(slopes, m, 1, (i) => i + 1),
            ),
          )
        : own,
    );
    if (from + m >= n) break;
    const late = f.mul(
      kc,
      decays(slopes, m, 1, (i) => m - 1 - i),
    );
    const fresh = f.matmul(f.transpose(late), vc);
    state = state
      ? f.add(
          f.mul(
            state,
            decays(slopes, 1, 1, () => m),
          ),
          fresh,
        )
      : fresh;
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
