import type { Device } from '@loci/device';
import type { Matrix } from '@loci/kernels';
import type { StateLayer } from '../axes/mix.ts';
import type { Architecture, LayerShape, LayerTensors } from '../families/architecture.ts';
import type { StoredTensor } from '../format/types.ts';
import type { MatrixRole } from './codec.ts';
import { type LayerMatrix, type Vector, WeightLoader, type WeightOptions } from './weight-loader.ts';

/** Factors of a norm; with offsets it takes off the mean first. */
export interface NormWeights {
  readonly weight: Vector;
  readonly bias: Vector | undefined;
}

export interface LayerWeights {
  readonly norm: NormWeights;
  readonly mixing: AttentionWeights | StateWeights;
  readonly feedForward: FeedForwardWeights | undefined;
}

export interface AttentionWeights {
  readonly kind: 'attention';
  readonly q: LayerMatrix;
  readonly k: LayerMatrix;
  readonly v: LayerMatrix;
  readonly o: LayerMatrix;
  readonly qBias: Vector | undefined;
  readonly kBias: Vector | undefined;
  readonly vBias: Vector | undefined;
  readonly qNorm: Vector | undefined;
  readonly kNorm: Vector | undefined;
  readonly postNorm: Vector | undefined;
  /** Address of the weights [c] of a gate per row. */
  readonly rowGate: number | undefined;
}

/** Of a layer with a state, by the names that it gives them. */
export interface StateWeights {
  readonly kind: 'state';
  readonly layer: StateLayer;
  readonly products: ReadonlyMap<string, { readonly matrix: Matrix; readonly bias: Vector | undefined }>;
  /** Addresses. */
  readonly tensors: ReadonlyMap<string, number>;
  readonly output: Matrix | undefined;
}

export interface FeedForwardWeights {
  readonly norm: NormWeights;
  /** down(act(gate) · up), or without a gate down(act(up)). */
  readonly gate: LayerMatrix | undefined;
  readonly up: LayerMatrix;
  readonly down: LayerMatrix;
  readonly postNorm: Vector | undefined;
}

export interface Weights {
  readonly embedding: Matrix;
  /** Added to it by position. */
  readonly positions: Matrix | undefined;
  readonly layers: readonly LayerWeights[];
  readonly outputNorm: NormWeights;
  /** The embedding itself when the head is tied to it. */
  readonly output: Matrix;
  /** Bytes in device memory. */
  readonly bytes: number;
}

/**
 * Reads every tensor of the architecture into device memory, piece by piece, in the packed layouts.
 * @throws LociError `bad-file` for a tensor that is missing or of the wrong shape, `aborted`.
 */
export async function loadWeights(
  device: Device,
  arch: Architecture,
  file: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  options: WeightOptions,
): Promise<Weights> {
  const loader = new WeightLoader(device, arch, file, tensors, options);
  try {
    const weights = await readWeights(loader, arch);
    await loader.finish();
    return weights;
  } finally {
    await loader.close();
  }
}

async function readWeights(loader: WeightLoader, arch: Architecture): Promise<Weights> {
  const { width, vocabulary, contextLength, normOffset: offset } = arch;
  const embedding = await loader.matrix(arch.embedding, vocabulary, width);
  const positions =
    arch.positions === undefined ? undefined : await loader.matrix(arch.positions, contextLength, width);
  const norm = async (weight: string, bias: string | undefined): Promise<NormWeights> => ({
    weight: await loader.vector(weight, width, offset),
    bias: await loader.optional(bias, width, 0),
  });
  const layers: LayerWeights[] = [];
  for (const [layer, shape] of arch.layers.entries()) {
    const names = shape.tensors;
    const before = await norm(names.attentionNorm, names.attentionNormBias);
    const mixing = shape.mix
      ? await stateWeights(loader, shape.mix, width)
      : await attentionWeights(loader, arch, names, layer);
    const feedForward = await feedForwardWeights(loader, arch, names, layer, norm);
    layers.push({ norm: before, mixing, feedForward });
  }
  const outputNorm = await norm(arch.outputNorm, arch.outputNormBias);
  const output = arch.output === arch.embedding ? embedding : await loader.matrix(arch.output, vocabulary, width);
  return { embedding, positions, layers, outputNorm, output, bytes: loader.bytes };
}

async function attentionWeights(
  loader: WeightLoader,
  { width, heads, kvHeads, headSize, normOffset: offset }: Architecture,
  names: LayerTensors,
  layer: number,
): Promise<AttentionWeights> {
  const matrix = (role: MatrixRole, rows: number, columns: number) =>
    loader.layerMatrix(names[role], rows, columns, { layer, role });
  const vector = (role: keyof LayerTensors, length: number, offset = 0) => loader.optional(names[role], length, offset);
  return {
    kind: 'attention',
    q: await matrix('q', heads * headSize, width),
    k: await matrix('k', kvHeads * headSize, width),
    v: await matrix('v', kvHeads * headSize, width),
    o: await matrix('o', width, heads * headSize),
    qBias: await vector('qBias', heads * headSize),
    kBias: await vector('kBias', kvHeads * headSize),
    vBias: await vector('vBias', kvHeads * headSize),
    qNorm: await vector('qNorm', headSize, offset),
    kNorm: await vector('kNorm', headSize, offset),
    postNorm: await vector('attentionPostNorm', width, offset),
    rowGate: names.rowGate === undefined ? undefined : await loader.floats(names.rowGate, [width, 1]),
  };
}

async function stateWeights(
  loader: WeightLoader,
  { layer, at }: NonNullable<LayerShape['mix']>,
  width: number,
): Promise<StateWeights> {
  const products = new Map<string, { readonly matrix: Matrix; readonly bias: Vector | undefined }>();
  for (const [name, { rows, bias }] of Object.entries(layer.products)) {
    const matrix = await loader.matrix(at + name, rows, width);
    products.set(name, { matrix, bias: await loader.optional(bias && at + bias, rows, 0) });
  }
  const tensors = new Map<string, number>();
  for (const [name, shape] of Object.entries(layer.tensors)) tensors.set(name, await loader.floats(at + name, shape));
  for (const [name, numbers] of Object.entries(layer.numbers)) tensors.set(name, loader.put(numbers));
  const output = layer.output === undefined ? undefined : await loader.matrix(at + layer.output, width, width);
  return { kind: 'state', layer, products, tensors, output };
}

async function feedForwardWeights(
  loader: WeightLoader,
  { width, hidden, normOffset: offset }: Architecture,
  names: LayerTensors,
  layer: number,
  norm: (weight: string, bias: string | undefined) => Promise<NormWeights>,
): Promise<FeedForwardWeights | undefined> {
  if (names.ffnNorm === undefined) return undefined;
  const matrix = (role: MatrixRole, rows: number, columns: number) =>
    loader.layerMatrix(names[role], rows, columns, { layer, role });
  return {
    norm: await norm(names.ffnNorm, names.ffnNormBias),
    gate: names.gate === undefined ? undefined : await matrix('gate', hidden, width),
    up: await matrix('up', hidden, width),
    down: await matrix('down', width, hidden),
    postNorm: await loader.optional(names.ffnPostNorm, width, offset),
  };
}
