import type { Device } from '@loci/device';
import {
  blockBytes,
  blockRows,
  type Layout,
  type Matrix,
  matrixBytes,
  type ProgressiveMatrix,
  packAffine,
  packFloats,
  packProgressive,
  progressiveBytes,
} from '@loci/kernels';
import { LociError } from '../errors.ts';
import type { Architecture, LayerShape } from '../families/architecture.ts';
import { blockShapes } from '../format/block-types.ts';
import { dequantize, toAffine } from '../format/blocks.ts';
import type { StoredTensor, TensorType } from '../format/types.ts';
import type { LayerRows, WeightCodec } from './codec.ts';
import { Packer, packable } from './packer.ts';

/** A vector of floats in device memory. */
export interface Vector {
  readonly address: number;
  readonly length: number;
}

/** A matrix of a layer, which a codec may have made. */
export type LayerMatrix = Matrix | ProgressiveMatrix;

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface WeightOptions {
  /** What matrices stored as floats become: 8 bits with a scale per 32, or float32 as they are. */
  readonly floats: 'q8' | 'f32';
  /** What the layers' matrices become instead. */
  readonly codec?: WeightCodec;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

/** File bytes read at a time: loading holds some four times this beside the model itself. */
const pieceBytes = 2 ** 20;

/**
 * The layout that holds a tensor type: exactly where its scales are halves, and with their products with small integers
 * rounded to 11 bits for the K formats; float types by choice, and always as floats where rows do not divide by 32.
 */
function layoutFor(type: TensorType, columns: number, floats: 'q8' | 'f32'): Layout {
  switch (type) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return floats === 'q8' && columns % 32 === 0 ? 'q8x32' : 'f32';
    case 'Q4_0':
      return 'q4x32';
    case 'Q4_1':
    case 'Q4_K':
      return 'q4x32m';
    case 'Q2_K':
    case 'Q3_K':
      return 'q4x16m';
    case 'Q8_0':
    case 'Q5_0':
    case 'IQ4_NL':
      return 'q8x32';
    case 'Q5_1':
    case 'Q5_K':
      return 'q8x32m';
    case 'Q6_K':
      return 'q8x16';
  }
}

/** Reads the tensors of a file into device memory, piece by piece. */
export class WeightLoader {
  bytes = 0;
  readonly #device: Device;
  readonly #file: string;
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #options: WeightOptions;
  readonly #totalBytes: number;
  readonly #packer: Packer;
  readonly #vectors: Promise<void>[] = [];
  #loadedBytes = 0;

  constructor(
    device: Device,
    arch: Architecture,
    file: string,
    tensors: ReadonlyMap<string, StoredTensor>,
    options: WeightOptions,
  ) {
    this.#device = device;
    this.#file = file;
    this.#tensors = tensors;
    this.#options = options;
    this.#packer = new Packer(device, ({ tensor, rows, columns }, source) =>
      this.#affine(tensor, source, rows, columns),
    );
    const names = [
      ...arch.layers.flatMap(namesOf),
      arch.embedding,
      arch.positions,
      arch.outputNorm,
      arch.outputNormBias,
    ];
    if (arch.output !== arch.embedding) names.push(arch.output);
    const known = names.filter((name) => name !== undefined);
    this.#totalBytes = known.reduce((sum, name) => sum + (tensors.get(name)?.byteLength ?? 0), 0);
  }

  async optional(name: string | undefined, length: number, offset: number): Promise<Vector | undefined> {
    return name === undefined ? undefined : this.vector(name, length, offset);
  }

  async vector(name: string, length: number, offset = 0): Promise<Vector> {
    const tensor = this.#find(name, [length]);
    // Kernels read biases in blocks of 8 rows.
    const address = this.#allocate(Math.ceil(length / 8) * 32);
    const target = this.#device.floats(address, Math.ceil(length / 8) * 8).fill(0);
    const read = tensor.source.read(tensor.offset, tensor.byteLength).then((bytes) => {
      const values = dequantize(tensor.type, bytes, length);
      target.set(offset === 0 ? values : values.map((value) => value + offset));
      this.#progress(tensor.byteLength);
    });
    // It is awaited when all is read, since there are many; by then it may have failed long since.
    read.catch(() => {});
    this.#vectors.push(read);
    return { address, length };
  }

  /** Address of a tensor of any shape as float32. */
  async floats(name: string, shape: readonly number[]): Promise<number> {
    const tensor = this.#find(name, shape);
    const count = shape.reduce((product, size) => product * size, 1);
    const bytes = await tensor.source.read(tensor.offset, tensor.byteLength);
    this.#progress(tensor.byteLength);
    return this.put(dequantize(tensor.type, bytes, count));
  }

  /** Address of numbers that are no file's. */
  put(numbers: Float32Array): number {
    const address = this.#allocate(Math.max(64, numbers.byteLength));
    this.#device.floats(address, numbers.length).set(numbers);
    return address;
  }

  async matrix(name: string, rows: number, columns: number): Promise<Matrix> {
    const tensor = this.#find(name, [rows, columns]);
    const layout = layoutFor(tensor.type, columns, this.#options.floats);
    const bytes = matrixBytes(layout, rows, columns);
    const address = this.#allocate(bytes);
    const block = blockBytes(layout, columns);
    // The last block's rows beyond the matrix stay zero.
    this.#device.bytes(address + bytes - block, block).fill(0);
    const { elements, bytes: shapeBytes } = blockShapes[tensor.type];
    const type =
      layout !== 'f32' && tensor.byteLength / rows === (columns / elements) * shapeBytes
        ? packable(tensor.type, columns)
        : undefined;
    await this.#pieces(tensor, rows, async (first, count) => {
      const out = address + (first / blockRows) * block;
      if (type) await this.#packer.add({ tensor, type, first, rows: count, columns, out });
      else await this.#convert(tensor, layout, first, count, columns, out);
    });
    return { layout, rows, columns, address };
  }

  /** A matrix of a layer, through the codec where there is one. */
  async layerMatrix(
    name: string | undefined,
    rows: number,
    columns: number,
    place: Pick<LayerRows, 'layer' | 'role'>,
  ): Promise<LayerMatrix> {
    if (name === undefined) throw new RangeError(`layer ${place.layer} has no matrix "${place.role}"`);
    const { codec } = this.#options;
    if (!codec) return this.matrix(name, rows, columns);
    const tensor = this.#find(name, [rows, columns]);
    if (codec.layout === 'progressive' && (rows % 4 !== 0 || columns % codec.group !== 0)) {
      const sizes = `${rows} × ${columns}, which are not whole blocks of 4 rows and groups of ${codec.group}`;
      throw new LociError('unsupported', `${this.#file}: tensor "${name}" is ${sizes}: choose another group`);
    }
    const bytes = (count: number) => codedBytes(codec, count, columns);
    const address = this.#allocate(bytes(rows));
    if (rows % blockRows !== 0) this.#device.bytes(address, bytes(rows)).fill(0);
    await this.#pieces(tensor, rows, (first, count) => {
      const target = this.#device.bytes(address + bytes(first), bytes(count));
      return encode(codec, tensor, { ...place, first, rows: count, columns }, target);
    });
    const { layout } = codec;
    return layout === 'progressive'
      ? { layout, rows, columns, group: codec.group, address }
      : { layout, rows, columns, address };
  }

  /** Takes rows of a tensor in pieces of whole blocks. */
  async #pieces(tensor: StoredTensor, rows: number, take: (first: number, count: number) => Promise<void>) {
    const rowBytes = tensor.byteLength / rows;
    const piece = Math.max(1, Math.floor(pieceBytes / rowBytes / blockRows)) * blockRows;
    for (let first = 0; first < rows; first += piece) {
      this.#checkAborted();
      const count = Math.min(piece, rows - first);
      await take(first, count);
      this.#progress(count * rowBytes);
    }
  }

  async finish(): Promise<void> {
    await this.#packer.finish();
    await Promise.all(this.#vectors);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#vectors);
    await this.#packer.close();
  }

  /** Packs rows on this thread. */
  async #convert(tensor: StoredTensor, layout: Layout, first: number, rows: number, columns: number, out: number) {
    const source = await readRows(tensor, first, rows);
    const target = this.#device.bytes(out, matrixBytes(layout, rows, columns));
    if (layout === 'f32') {
      const values = dequantize(tensor.type, source, rows * columns);
      packFloats(values, rows, columns, this.#device.floats(out, target.length / 4));
      release(source, values);
    } else {
      const affine = this.#affine(tensor, source, rows, columns);
      packAffine(affine, layout, rows, columns, target);
      release(source, affine.q, affine.scale, affine.min);
    }
  }

  #affine(tensor: StoredTensor, source: Uint8Array, rows: number, columns: number) {
    try {
      return toAffine(tensor.type, source, rows, columns);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new LociError('bad-file', `${tensor.source.name}: tensor "${tensor.name}": ${reason}`, { cause: error });
    }
  }

  #find(name: string, shape: readonly number[]): StoredTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new LociError('bad-file', `${this.#file}: there is no tensor "${name}"`);
    if (tensor.shape.length !== shape.length || shape.some((size, axis) => tensor.shape[axis] !== size)) {
      const found = tensor.shape.join(' × ');
      throw new LociError(
        'bad-file',
        `${this.#file}: tensor "${name}" is ${found}, but the metadata says ${shape.join(' × ')}`,
      );
    }
    return tensor;
  }

  #allocate(bytes: number): number {
    this.bytes += bytes;
    return this.#device.allocate(bytes);
  }

  #progress(bytes: number): void {
    this.#loadedBytes += bytes;
    this.#options.onProgress?.({ loadedBytes: this.#loadedBytes, totalBytes: this.#totalBytes });
  }

  #checkAborted(): void {
    if (this.#options.signal?.aborted) throw new LociError('aborted', `${this.#file}: loading was stopped`);
  }
}

function namesOf({ tensors, mix }: LayerShape): readonly string[] {
  if (!mix) return Object.values(tensors);
  const { products, tensors: others, output } = mix.layer;
  const biases = Object.values(products).map(({ bias }) => bias);
  const own = [...Object.keys(products), ...biases, ...Object.keys(others), output].filter(
    (name) => name !== undefined,
  );
  return [...Object.values(tensors), ...own.map((name) => mix.at + name)];
}

function codedBytes(codec: WeightCodec, rows: number, columns: number): number {
  return codec.layout === 'progressive'
    ? progressiveBytes(rows, columns, codec.group)
    : matrixBytes(codec.layout, rows, columns);
}

/** Turns rows of a tensor into those of a codec, and packs them. */
async function encode(
  codec: WeightCodec,
  tensor: StoredTensor,
  place: Omit<LayerRows, 'values'>,
  target: Uint8Array,
): Promise<void> {
  const { first, rows, columns } = place;
  const source = await readRows(tensor, first, rows);
  const values = dequantize(tensor.type, source, rows * columns);
  const given = { ...place, values };
  if (codec.layout === 'f32') {
    packFloats(
      codec.encode(given),
      rows,
      columns,
      new Float32Array(target.buffer, target.byteOffset, target.length / 4),
    );
  } else if (codec.layout === 'progressive') target.set(packProgressive(codec.encode(given)));
  else packAffine(codec.encode(given), codec.layout, rows, columns, target);
  release(source, values);
}

/** Rows of a matrix as they lie in the file. */
function readRows({ source, offset, byteLength, shape }: StoredTensor, first: number, rows: number) {
  const rowBytes = byteLength / (shape[0] ?? 1);
  return source.read(offset + first * rowBytes, rows * rowBytes);
}

/** Frees the memory of arrays at once. Left to the garbage collector, tens of megabytes of them pile up first. */
function release(...arrays: readonly { readonly buffer: ArrayBufferLike }[]): void {
  for (const { buffer } of arrays) if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
