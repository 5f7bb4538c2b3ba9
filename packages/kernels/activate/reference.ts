import type { Activation } from './index.ts';

/** x · σ(x), or x · Φ(x) with Φ by its tanh form (Hendrycks and Gimpel 2016, section 2). */
export function activationReference(activation: Activation, x: number): number {
  // ½ (1 + tanh(y / 2)) is σ(y), which keeps its precision far below zero.
  const y = activation === 'silu' ? x : 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
  return x / (1 + Math.exp(-y));
}

/** act(gate) · up (Shazeer 2020). */
export function activateReference(
  activation: Activation,
  gate: ArrayLike<number>,
  up: ArrayLike<number>,
): Float64Array {
  return Float64Array.from(gate, (x, c) => activationReference(activation, x) * (up[c] ?? Number.NaN));
}
