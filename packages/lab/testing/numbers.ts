import { Random } from '@loci/evaluate/random';
import type { Numbers, Tensor } from '../arrays/index.ts';
import * as f from '../arrays/index.ts';
import type { Case } from './cases.ts';

/** The expression of a case, its parameters in their order, and numbers for all of it. */
export function instance(one: Case): {
  readonly y: Tensor;
  readonly parameters: readonly Tensor[];
  readonly numbers: Numbers;
} {
  const random = new Random(one.name);
  const numbers: Record<string, Float64Array> = {};
  const parameters = one.shapes.map((shape, i) => {
    const name = 'abc'[i] ?? '';
    const least = one.least ?? -2;
    // Such as float32 holds exactly.
    numbers[name] = Float64Array.from({ length: f.sizeOf(shape) }, () =>
      Math.fround(least + (2 - least) * random.real()),
    );
    return f.parameter(name, shape);
  });
  const given = [...parameters];
  if (one.ids) {
    const { shape, below, least = 0 } = one.ids;
    numbers['ids'] = Float64Array.from({ length: f.sizeOf(shape) }, () => random.integer(least, below - 1));
    given.push(f.input('ids', shape, 'int'));
  }
  const nothing = f.constant([], [0]);
  const [a = nothing, b = nothing, c = nothing] = given;
  return { y: one.build(a, b, c), parameters, numbers };
}

/** A number that depends on every element of y in its own way. */
export function weighted(y: Tensor): Tensor {
  const random = new Random('weights');
  return f.sumAll(
    f.mul(
      y,
      f.constant(
        y.shape,
        Array.from({ length: f.sizeOf(y.shape) }, () => random.real() - 0.3),
      ),
    ),
  );
}
