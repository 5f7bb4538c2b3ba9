import { type Mixer, type ParameterSpecs, weights } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { LociError } from 'loci';
import { perHead } from './heads.ts';

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
      const scale = Math.sqrt(heads / f.dimension(x, 2));
      const y = perHead(x, parameters, heads, (q, k, v) => {
        const scores = f.add(f.matmul(rotated(q), f.transpose(rotated(k))), maskOf(layer, f.dimension(x, 1)));
        return f.matmul(f.softmax(scores, { scale, causal: true }), v);
      });
      return f.matmul(y, parameters('out'));
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
