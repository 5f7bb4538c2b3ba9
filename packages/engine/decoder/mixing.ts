import type { Encoder } from '@loci/device';
import { add, type StridedRows } from '@loci/kernels';
import type { MixView } from '../axes/mix.ts';
import { joined, type Layer, type LayerContext } from './layer.ts';
import { linear, normFor, rounded } from './linear.ts';
import type { Placed } from './segment.ts';
import type { StateWeights } from './weights.ts';

/** x += a layer with a state: norm → its products → its kernels, sequence by sequence → out. */
export function recordMixing(encoder: Encoder, context: LayerContext, layer: Layer, mixing: StateWeights): void {
  const { arch, workspace: w, precision, n, placed } = context;
  const { width } = arch;
  const products = [...mixing.products];
  const consumers = products.map(([, { matrix }]) => matrix);
  encoder.record(
    ...normFor(precision, consumers, w.x, n, layer.weights.norm, arch.normEpsilon, w.normed, true),
    ...joined(
      products.map(([name, { matrix, bias }]) =>
        linear(precision, w.normed, n, matrix, { out: w.product(name), bias }),
      ),
    ),
  );
  for (const one of placed) mixing.layer.record(encoder, viewOf(context, layer.index, mixing, one));
  const { output } = mixing;
  if (output) {
    encoder.record(
      ...rounded(precision, [output], n, width, w.mixed),
      linear(precision, w.mixed, n, output, { out: w.x, accumulate: true }),
    );
    return;
  }
  const rows = (address: number) => ({ address, stride: width });
  encoder.record(add({ a: rows(w.x), b: rows(w.mixed.float), out: rows(w.x), n, columns: width }));
}

function viewOf(
  { arch, workspace: w }: LayerContext,
  index: number,
  { products, tensors }: StateWeights,
  { segment, first, n }: Placed,
): MixView {
  const { states } = segment.cache;
  if (!states) throw new RangeError('the sequence has no states');
  const rows = (address: number, stride: number): StridedRows => ({ address: address + first * stride * 4, stride });
  return {
    n,
    ...states.of(index),
    normed: rows(w.normed.float, arch.width),
    mixed: rows(w.mixed.float, arch.width),
    product(name) {
      const found = products.get(name);
      if (!found) throw new RangeError(`the layer has no product "${name}"`);
      return rows(w.product(name), Math.ceil(found.matrix.rows / 8) * 8);
    },
    tensor(name) {
      const found = tensors.get(name);
      if (found === undefined) throw new RangeError(`the layer has no tensor "${name}"`);
      return found;
    },
  };
}
