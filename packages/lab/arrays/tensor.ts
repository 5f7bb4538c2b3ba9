/**
 * An array as an expression: what it is computed from, and its shape. Expressions are immutable and know nothing about
 * where they are computed; a back end evaluates them (reference.ts in float64, ../wasm as a recorded program).
 */
export interface Tensor {
  /** Expressions are numbered in the order in which they are written, so that operands come first. */
  readonly id: number;
  readonly shape: readonly number[];
  readonly op: Op;
}

/** Functions of one number. */
export type Unary = 'exp' | 'log' | 'tanh' | 'sigmoid' | 'silu' | 'gelu' | 'relu' | 'square' | 'sqrt' | 'reciprocal';
/** Functions of two; the last group are derivatives: x is the value (tanh, sigmoid) or the argument, y what it is multiplied by. */
export type Binary =
  | ('add' | 'sub' | 'mul' | 'div')
  | ('tanhGradient' | 'sigmoidGradient' | 'siluGradient' | 'geluGradient' | 'reluGradient');

/** Which keys a query sees; queries are the last ones of the keys. */
export interface Mask {
  readonly causal: boolean;
  /** Keys that a query sees, its own included; 0 is all. Only with `causal`. */
  readonly window: number;
}

export type Op =
  /** Numbers that are given anew for every run: float32, or whole numbers where an operation wants ids. */
  | { readonly kind: 'input'; readonly name: string; readonly type: 'float' | 'int' }
  /** Numbers that stay between runs and that training changes. */
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'constant'; readonly values: Float32Array }
  | { readonly kind: 'reshape'; readonly x: Tensor }
  | { readonly kind: 'permute'; readonly x: Tensor; readonly axes: readonly number[] }
  /** Repeats dimensions of size 1. */
  | { readonly kind: 'broadcast'; readonly x: Tensor }
  /** The part of x that begins at `begin`. */
  | { readonly kind: 'slice'; readonly x: Tensor; readonly begin: readonly number[] }
  /** x at `begin` among zeros. */
  | { readonly kind: 'pad'; readonly x: Tensor; readonly begin: readonly number[] }
  | { readonly kind: 'concat'; readonly parts: readonly Tensor[]; readonly axis: number }
  | { readonly kind: 'unary'; readonly f: Unary; readonly x: Tensor }
  | { readonly kind: 'affine'; readonly x: Tensor; readonly scale: number; readonly shift: number }
  /** x and y have the same shape. */
  | { readonly kind: 'binary'; readonly f: Binary; readonly x: Tensor; readonly y: Tensor }
  /** [batch …, m, k] times [batch …, k, n]. */
  | { readonly kind: 'matmul'; readonly x: Tensor; readonly y: Tensor }
  /** Along an axis, which stays with size 1. */
  | { readonly kind: 'sum'; readonly x: Tensor; readonly axis: number }
  | { readonly kind: 'cumsum'; readonly x: Tensor; readonly axis: number; readonly reverse: boolean }
  /** Of scale · x along the last axis; the axis before it counts queries. */
  | { readonly kind: 'softmax'; readonly x: Tensor; readonly scale: number; readonly mask: Mask }
  | { readonly kind: 'softmaxGradient'; readonly y: Tensor; readonly dy: Tensor; readonly scale: number }
  /** Along the last axis, without weights; `centred` takes the mean off. */
  | { readonly kind: 'norm'; readonly x: Tensor; readonly epsilon: number; readonly centred: boolean }
  | {
      readonly kind: 'normGradient';
      readonly x: Tensor;
      readonly dy: Tensor;
      readonly epsilon: number;
      readonly centred: boolean;
    }
  | { readonly kind: 'gather'; readonly table: Tensor; readonly ids: Tensor }
  | { readonly kind: 'scatter'; readonly x: Tensor; readonly ids: Tensor }
  | { readonly kind: 'crossEntropy'; readonly logits: Tensor; readonly labels: Tensor }
  | { readonly kind: 'crossEntropyGradient'; readonly logits: Tensor; readonly labels: Tensor; readonly dy: Tensor }
  /** x [batch, n, channels], filter [taps, channels]. */
  | { readonly kind: 'convolve'; readonly x: Tensor; readonly filter: Tensor; readonly ahead: boolean }
  | { readonly kind: 'convolveFilterGradient'; readonly x: Tensor; readonly dy: Tensor };

let count = 0;

export function tensor(shape: readonly number[], op: Op): Tensor {
  return { id: count++, shape, op };
}

/** What an expression is computed from. */
export function operands({ op }: Tensor): readonly Tensor[] {
  switch (op.kind) {
    case 'input':
    case 'parameter':
    case 'constant':
      return [];
    case 'concat':
      return op.parts;
    case 'binary':
    case 'matmul':
      return [op.x, op.y];
    case 'softmaxGradient':
      return [op.y, op.dy];
    case 'normGradient':
    case 'convolveFilterGradient':
      return [op.x, op.dy];
    case 'gather':
      return [op.table, op.ids];
    case 'scatter':
      return [op.x, op.ids];
    case 'crossEntropy':
      return [op.logits, op.labels];
    case 'crossEntropyGradient':
      return [op.logits, op.labels, op.dy];
    case 'convolve':
      return [op.x, op.filter];
    default:
      return [op.x];
  }
}

/** All that the outputs are computed from, themselves included, operands first. */
export function reachable(outputs: readonly Tensor[]): readonly Tensor[] {
  const found = new Set<Tensor>();
  const open = [...outputs];
  for (let next = open.pop(); next; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...operands(next));
  }
  return [...found].sort((a, b) => a.id - b.id);
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Distances between neighbours along each dimension of a dense array. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i] ?? 1;
  }
  return strides;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
