import { type MixContext, type Mixer, weights } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { LociError } from 'loci';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { choice, number, whole } from '../methods/option.ts';
import { lower } from '../mixing/triangle.ts';
import { attention } from './mix.ts';

type Tensor = f.Tensor;

/** 1 where a token occurred before in its sequence, else 0: [batch, n, 1]. */
export function occurredBefore({ ids, vocabulary }: Pick<MixContext, 'ids' | 'vocabulary'>): Tensor {
  const [batch, n] = [f.dimension(ids, 0), f.dimension(ids, 1)];
  const identity = f.constant(
    [vocabulary, vocabulary],
    square(vocabulary, (r, c) => (r === c ? 1 : 0)),
  );
  const tokens = f.gather(identity, ids);
  const same = f.matmul(tokens, f.transpose(tokens));
  return f.reshape(f.where(f.sum(f.mul(same, lower(n, 0)), -1), f.constant([], [1])), [batch, n, 1]);
}

/** 1 at the m rows whose gate [batch, n, 1] is largest, the earlier of equal ones; it looks at the whole sequence. */
export function largest(gate: Tensor, m: number): Tensor {
  const n = f.dimension(gate, 1);
  const one = f.constant([], [1]);
  const above = f.sub(f.transpose(gate), gate);
  const equal = f.sub(one, f.add(f.where(above, one), f.where(f.affine(above, -1), one)));
  const rank = f.sum(f.add(f.where(above, one), f.mul(equal, lower(n, 0))), -1);
  return f.where(f.affine(rank, -1, m), one);
}

/**
 * Selective attention (Arora et al. 2023, section 5): attention is added only where lookups happen. By `token`: where the
 * token occurred before. By `gate`: times a learned gate, of which only the `rows` largest count. Which are the largest is known at
 * the end of a text alone, so that the engine decodes without that; those that are open by less than `least` count as shut.
 */
export const selective = define<
  Mixer,
  {
    by: ReturnType<typeof choice<readonly ['token', 'gate']>>;
    rows: ReturnType<typeof whole>;
    least: ReturnType<typeof number>;
  }
>({
  axis: 'mix',
  name: 'selective',
  summary: 'attention at tokens that occurred before, or where a gate is open',
  options: z.object({
    by: choice(['token', 'gate'], 'token', 'what chooses rows'),
    rows: whole(0, 2 ** 30, 2 ** 30, 'rows of the largest gates that count; by default all, which training wants'),
    least: number(0, 1, 0, 'gates that are open by less are shut'),
  }),
  create({ by, rows, least }, base) {
    const full = attention.with();
    return {
      ...base,
      stateBytes: full.stateBytes,
      parameters: (size) => ({ ...full.parameters(size), ...(by === 'gate' && { gate: weights([size.width, 1]) }) }),
      mix(x, parameters, context) {
        const attended = full.mix(x, parameters, context);
        if (by === 'token') return f.mul(attended, occurredBefore(context));
        const open = f.sigmoid(f.matmul(x, parameters('gate')));
        const gate = least > 0 ? f.where(f.affine(open, 1, -least), open) : open;
        return f.mul(attended, rows >= context.length ? gate : f.mul(gate, largest(gate, rows)));
      },
      layer(size) {
        const attended = full.layer?.(size);
        if (attended?.kind !== 'attention') throw new RangeError('attention is not what it was');
        if (by === 'token') return { ...attended, rows: { kind: 'repeated' } };
        if (rows < size.length) {
          throw new LociError(
            'unsupported',
            `${base.spec}: which ${rows} gates are the largest is known at the end of a text; give least in place of rows`,
          );
        }
        return { ...attended, rows: { kind: 'gate', name: 'gate', least } };
      },
    };
  },
});
const square = (n: number, value: (row: number, column: number) => number): Float32Array =>
  Float32Array.from({ length: n * n }, (_, i) => value(Math.floor(i / n), i % n));
