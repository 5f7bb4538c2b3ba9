import { type Mixer, type ParameterSpecs, weights } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { LociError } from 'loci';

type Tensor = f.Tensor;

/** Softmax attention with rotary positions, in which every head has a mask of its own: causal, and what `reads` says. */
export interface Masked {
  readonly heads: number;
  /** Whether a query reads a key that is not behind it. */
  reads(query: number, key: number, head: number): boolean;
  /** All heads read the same. */
  readonly same: boolean;
}

/** What mixers of such attention have in common; `of` may depend on the layer. */
export function maskedMixer(
  base: Pick<Mixer, 'axis' | 'name' | 'spec'>,
  heads: number,
  of: (layer: number) => Masked,
): Mixer {
  const masks = new Map<string, Tensor>();
  const maskOf = (layer: number, n: number) => {
    const key = `${layer} ${n}`;
    const known = masks.get(key) ?? mask(of(layer), n);
    masks.set(key, known);
    return known;
  };
  return {
    ...base,
    parameters({ width, layers }): ParameterSpecs {
      if (width % (2 * heads) !== 0) {
        throw new LociError('bad-option', `--mix ${base.spec}: ${heads} heads of an even width do not divide ${width}`);
      }
      const square = weights([width, width]);
      return { query: square, key: square, value: square, out: weights([width, width], 0.02 / Math.sqrt(2 * layers)) };
    },
    mix(x, parameters, { layer }) {
      const [batch, n, width] = [f.dimension(x, 0), f.dimension(x, 1), f.dimension(x, 2)];
      const d = width / heads;
      const split = (name: string) =>
        f.permute(f.reshape(f.matmul(x, parameters(name)), [batch, n, heads, d]), [0, 2, 1, 3]);
      const scores = f.matmul(rotated(split('query')), f.transpose(rotated(split('key'))));
      const attended = f.softmax(f.add(scores, maskOf(layer, n)), { scale: 1 / Math.sqrt(d), causal: true });
      const joined = f.reshape(f.permute(f.matmul(attended, split('value')), [0, 2, 1, 3]), [batch, n, width]);
      return f.matmul(joined, parameters('out'));
    },
    // What a mask lets a head forget is the affair of its cache, not of the mixer.
    stateBytes: ({ width }, n) => 4 * 2 * width * n,
  };
}

/** 0 where a head reads, and else so little that its exponential is 0: [heads or 1, n, n]. */
function mask({ heads, reads, same }: Masked, n: number): Tensor {
  const own = same ? 1 : heads;
  return f.constant(
    [own, n, n],
    Float32Array.from({ length: own * n * n }, (_, i) => {
      const [head, query, key] = [Math.floor(i / (n * n)), Math.floor(i / n) % n, i % n];
      return key > query || reads(query, key, head) ? 0 : -1e9;
    }),
  );
}

/** Rotary positions (Su et al. 2021, arXiv 2104.09864), the two halves of a head paired: x is [… n, d]. */
export function rotated(x: Tensor): Tensor {
  const [n, d] = [f.dimension(x, -2), f.dimension(x, -1)];
  const half = d / 2;
  const angles = (of: (angle: number) => number) =>
    f.constant(
      [n, half],
      Float32Array.from({ length: n * half }, (_, i) => of(Math.floor(i / half) * 10_000 ** (-(i % half) / half))),
    );
  const [cos, sin] = [angles(Math.cos), angles(Math.sin)];
  const axis = x.shape.length - 1;
  const [a, b] = [f.slice(x, axis, 0, half), f.slice(x, axis, half, d)];
  return f.concat([f.sub(f.mul(a, cos), f.mul(b, sin)), f.add(f.mul(b, cos), f.mul(a, sin))], axis);
}
