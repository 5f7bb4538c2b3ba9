import { Random } from '@loci/evaluate/random';
import { parameter } from '../arrays/functions.ts';
import { sizeOf } from '../arrays/tensor.ts';
import type { Parameters } from './mixer.ts';

/** A parameter before training. */
export interface ParameterSpec {
  readonly shape: readonly number[];
  /** Normal with this deviation around 0, or all the same. */
  readonly initial: { readonly deviation: number } | { readonly value: number };
  /** Whether weight decay pulls it to zero: matrices do, factors and offsets do not. */
  readonly decays: boolean;
}

export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>;

/** A matrix of weights [from, to], normal around 0. */
export function weights(shape: readonly number[], deviation = 0.02): ParameterSpec {
  return { shape, initial: { deviation }, decays: true };
}

/** Factors (1) or offsets (0) of channels. */
export function filled(shape: readonly number[], value: number): ParameterSpec {
  return { shape, initial: { value }, decays: false };
}

/** The parameters of a model as arrays, whose numbers are given when they are computed. An unknown name throws. */
export function parametersOf(specs: ParameterSpecs): Parameters {
  const known = new Map(Object.entries(specs).map(([name, { shape }]) => [name, parameter(name, shape)]));
  return (name) => {
    const found = known.get(name);
    if (!found) throw new RangeError(`the model has no parameter "${name}"`);
    return found;
  };
}

/** The numbers a parameter starts with: the same for the same seed and name, whatever else the model has. */
export function initialNumbers({ shape, initial }: ParameterSpec, name: string, seed: number): Float32Array {
  const numbers = new Float32Array(sizeOf(shape));
  if ('value' in initial) return numbers.fill(initial.value);
  const random = new Random(`parameter ${name} ${seed}`);
  for (let i = 0; i < numbers.length; i++) numbers[i] = initial.deviation * random.normal();
  return numbers;
}
