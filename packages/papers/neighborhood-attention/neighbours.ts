/** One axis of a layout (Hassani et al. 2024, Faster Neighborhood Attention, arXiv 2403.04690, section 2). */
export interface Axis {
  readonly length: number;
  /** Neighbours, the token itself included. */
  readonly window: number;
  /** Only every so-manyth token counts. */
  readonly dilation: number;
  readonly causal: boolean;
  /** Tokens that share their neighbours. */
  readonly stride?: number;
}

/** @throws RangeError naming the axis's sizes. */
export function checkAxis({ length, window, dilation, stride = 1 }: Axis): void {
  const sizes = `window ${window}, dilation ${dilation}, stride ${stride} on an axis of ${length} tokens`;
  if (window < 1 || dilation < 1 || stride < 1) throw new RangeError(`${sizes}: each must be at least 1`);
  if (stride > window) throw new RangeError(`${sizes}: the stride must not exceed the window`);
  if (window * dilation > length) throw new RangeError(`${sizes}: window × dilation must not exceed the length`);
}

/** Neighbours of a token on one axis: indices `from`, `from + dilation`, … below `to`. */
export function neighboursOn(axis: Axis, token: number): { readonly from: number; readonly to: number } {
  const { length, window, dilation, causal, stride = 1 } = axis;
  const group = token % dilation;
  const index = Math.floor(token / dilation);
  const n = Math.floor((length - group + dilation - 1) / dilation);
  const first = Math.floor(index / stride) * stride;
  const leader = Math.min(n - 1, first + (causal ? stride - 1 : Math.floor(stride / 2)));
  const start = causal
    ? Math.max(leader - (window - 1), 0)
    : Math.min(Math.max(leader - Math.floor(window / 2), 0), n - window);
  const end = causal ? index + 1 : start + window;
  return { from: group + dilation * start, to: group + dilation * (end - 1) + 1 };
}

/** Whether `key` is a neighbour of `query` on every axis; both are indices [rank] of a layout. */
export function isNeighbour(axes: readonly Axis[], query: readonly number[], key: readonly number[]): boolean {
  return axes.every((axis, a) => {
    const at = key[a] ?? 0;
    const { from, to } = neighboursOn(axis, query[a] ?? 0);
    return at >= from && at < to && (at - from) % axis.dilation === 0;
  });
}
