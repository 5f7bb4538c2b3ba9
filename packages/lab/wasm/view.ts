import { sizeOf, stridesOf } from '../arrays/tensor.ts';

/** Where the elements of an array lie: in a buffer, from an offset on, at distances, all in elements. */
export interface View {
  readonly buffer: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export function denseView(buffer: number, shape: readonly number[]): View {
  return { buffer, offset: 0, shape, strides: stridesOf(shape) };
}

/** Whether the elements lie side by side in the order of their indices. */
export function isDense({ shape, strides }: View): boolean {
  const dense = stridesOf(shape);
  return sizeOf(shape) === 0 || shape.every((size, i) => size === 1 || strides[i] === dense[i]);
}

/** The same elements in another shape, where distances can say so. */
export function reshapeView(view: View, shape: readonly number[]): View | undefined {
  if (isDense(view)) return { ...view, shape, strides: stridesOf(shape) };
  const old = view.shape.flatMap((size, i) => (size === 1 ? [] : [{ size, stride: view.strides[i] ?? 0 }]));
  const strides = new Array<number>(shape.length).fill(0);
  let [from, to] = [0, 0];
  // Axes of both that hold the same elements are matched from the left: some are joined, some split.
  while (from < old.length) {
    let [have, want] = [old[from]?.size ?? 1, shape[to] ?? 1];
    let [fromEnd, toEnd] = [from + 1, to + 1];
    while (have !== want) {
      if (have < want) have *= old[fromEnd++]?.size ?? 1;
      else want *= shape[toEnd++] ?? 1;
    }
    for (let i = from + 1; i < fromEnd; i++) {
      if (old[i - 1]?.stride !== (old[i]?.stride ?? 0) * (old[i]?.size ?? 1)) return undefined;
    }
    let stride = old[fromEnd - 1]?.stride ?? 0;
    for (let i = toEnd - 1; i >= to; i--) {
      strides[i] = stride;
      stride *= shape[i] ?? 1;
    }
    [from, to] = [fromEnd, toEnd];
  }
  return { ...view, shape, strides };
}

/** Joins neighbouring axes of arrays of one shape as far as every one's distances allow. */
export function joinAxes(
  shape: readonly number[],
  all: readonly (readonly number[])[],
): { readonly shape: readonly number[]; readonly strides: readonly (readonly number[])[] } {
  const sizes: number[] = [];
  const strides: number[][] = all.map(() => []);
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const last = sizes.length - 1;
    const joins = last >= 0 && all.every((own, i) => strides[i]?.[last] === (own[axis] ?? 0) * size);
    if (joins) sizes[last] = (sizes[last] ?? 1) * size;
    else sizes.push(size);
    all.forEach((own, i) => {
      const mine = strides[i];
      if (mine) mine[joins ? last : last + 1] = own[axis] ?? 0;
    });
  });
  return { shape: sizes, strides };
}
