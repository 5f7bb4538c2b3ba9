import { type Recur, type RecurShape, recurBytes, recurScratch } from '@loci/kernels';
import { LociError, type MixView, type StateLayer } from 'loci';

/** @throws LociError `unsupported` for heads of values that kernels with a state do not take. */
export function checkColumns(spec: string, columns: number): void {
  if (columns % 4 === 0) return;
  throw new LociError('unsupported', `${spec}: the engine takes heads of a multiple of 4 values, not ${columns}`);
}

/** A layer of linear attention for the engine. @throws LociError `unsupported` for heads that its kernel does not take. */
export function stateLayer(
  spec: string,
  shape: RecurShape,
  layer: Pick<StateLayer, 'products' | 'output' | 'record'> & Partial<Pick<StateLayer, 'numbers'>>,
): StateLayer {
  checkColumns(spec, shape.columns);
  return {
    ...{ kind: 'state', tensors: {}, numbers: {}, ...layer },
    ...{ stateBytes: recurBytes(shape), scratchBytes: recurScratch(shape) },
  };
}

/** The kernel's arguments for rows whose products are query, key and value. */
export function recurrence(shape: RecurShape, { n, from, to, mixed, product }: MixView): Recur {
  return { ...shape, n, from, to, q: product('query'), k: product('key'), v: product('value'), out: mixed };
}
