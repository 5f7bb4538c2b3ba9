/** Arrays as expressions: the functions that models are written with, their derivatives, and the definition of all of it. */
export * from './functions.ts';
export { gradients } from './gradients.ts';
export { evaluate, type Numbers } from './reference.ts';
export { reachable, sizeOf, type Tensor } from './tensor.ts';
