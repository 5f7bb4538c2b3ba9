import { Random } from '@loci/evaluate';
import { evaluateOn, openTrainingDevice } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { gradients } from '@loci/lab/arrays';

type Tensor = f.Tensor;

/** A form of a mixer: q and k [batch, heads, n, d], v [batch, heads, n, e]. */
export type Form = (q: Tensor, k: Tensor, v: Tensor) => Tensor;

export interface FormSize {
  readonly batch: number;
  readonly heads: number;
  readonly n: number;
  readonly d: number;
  readonly e: number;
}

/** Largest gaps over the largest number of what is compared with. */
export type FormGap = {
  readonly form: string;
  readonly n: number;
  readonly value: number;
  readonly gradient: number | null;
};

/** Random numbers for q, k and v: the same for the same size. */
export function formInputs({ batch, heads, n, d, e }: FormSize) {
  const random = new Random(`forms ${[batch, heads, n, d, e].join()}`);
  const some = (count: number) => Float32Array.from({ length: count }, () => 2 * random.real() - 1);
  const shapes = { q: [batch, heads, n, d], k: [batch, heads, n, d], v: [batch, heads, n, e] };
  return {
    numbers: { q: some(f.sizeOf(shapes.q)), k: some(f.sizeOf(shapes.k)), v: some(f.sizeOf(shapes.v)) },
    tensors: [f.parameter('q', shapes.q), f.parameter('k', shapes.k), f.parameter('v', shapes.v)] as const,
  };
}

/** Forms beside the first one, in float32 with the kernels that train: values and, where wanted, all derivatives. */
export async function compareForms(
  forms: Readonly<Record<string, Form>>,
  size: FormSize,
  withGradients: boolean,
): Promise<readonly FormGap[]> {
  const device = await openTrainingDevice(1);
  try {
    const { numbers, tensors } = formInputs(size);
    const run = async (form: Form) => {
      const y = form(...tensors);
      const weight = f.constant(
        y.shape,
        Float32Array.from({ length: f.sizeOf(y.shape) }, (_, i) => Math.sin(i)),
      );
      const slopes = withGradients ? gradients(f.sumAll(f.mul(y, weight)), tensors) : [];
      return evaluateOn(device, [y, ...slopes], numbers);
    };
    const [first, ...others] = Object.entries(forms);
    if (!first) return [];
    const should = await run(first[1]);
    const gaps: FormGap[] = [];
    for (const [form, one] of others) {
      const is = await run(one);
      const found = should.map((numbers, i) => relativeGap(is[i] ?? new Float32Array(), numbers));
      gaps.push({
        form,
        n: size.n,
        value: found[0] ?? Number.NaN,
        gradient: withGradients ? Math.max(...found.slice(1)) : null,
      });
    }
    return gaps;
  } finally {
    await device.close();
  }
}

function relativeGap(is: Float32Array, should: Float32Array): number {
  let [gap, largest] = [0, 0];
  for (let i = 0; i < should.length; i++) {
    gap = Math.max(gap, Math.abs((is[i] ?? Number.NaN) - (should[i] ?? 0)));
    largest = Math.max(largest, Math.abs(should[i] ?? 0));
  }
  return gap / Math.max(largest, Number.MIN_VALUE);
}
