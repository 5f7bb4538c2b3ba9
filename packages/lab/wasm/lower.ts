/** Expressions → steps over buffers: views cost nothing, everything else becomes a kernel call or two. */
import type { Command } from '@loci/kernels';
import * as kernels from '@loci/kernels/train';
import { reachable, sizeOf, stridesOf, type Tensor } from '../arrays/tensor.ts';
import { denseView, isDense, joinAxes, reshapeView, type View } from './view.ts';

/** Addresses of buffers, once they have them. */
export type Addresses = (buffer: number) => number;

export interface Step {
  readonly reads: readonly number[];
  readonly writes: number;
  commands(addresses: Addresses): readonly Command[];
}

export interface Buffer {
  /** In elements of 4 bytes. */
  readonly length: number;
  /** Inputs, parameters and constants are there before the first step, and stay. */
  readonly source: Tensor | undefined;
}

export interface Lowered {
  readonly buffers: readonly Buffer[];
  readonly steps: readonly Step[];
  /** Where the outputs are: dense views from offset 0, each of a buffer of its own. */
  readonly outputs: readonly View[];
  /** Columns of the widest softmax. */
  readonly widest: number;
}

export function lower(outputs: readonly Tensor[]): Lowered {
  const lowering = new Lowering();
  for (const one of reachable(outputs)) lowering.add(one);
  return lowering.end(outputs);
}

class Lowering {
  readonly #buffers: Buffer[] = [];
  readonly #steps: Step[] = [];
  readonly #views = new Map<Tensor, View>();
  readonly #dense = new Map<Tensor, View>();
  #widest = 0;

  end(outputs: readonly Tensor[]): Lowered {
    const taken = new Set<number>();
    const views = outputs.map((one) => {
      const view = this.#denseOf(one);
      const own = !taken.has(view.buffer) && this.#buffers[view.buffer]?.source === undefined && view.offset === 0;
      const final = own ? view : this.#copy(view);
      taken.add(final.buffer);
      return final;
    });
    return { buffers: this.#buffers, steps: this.#steps, outputs: views, widest: this.#widest };
  }

  add(one: Tensor): void {
    this.#views.set(one, this.#lower(one));
  }

  #lower(one: Tensor): View {
    const { op, shape } = one;
    switch (op.kind) {
      case 'input':
      case 'parameter':
      case 'constant':
        return denseView(this.#buffer(shape, one), shape);
      case 'reshape':
        return reshapeView(this.#view(op.x), shape) ?? { ...this.#denseOf(op.x), shape, strides: stridesOf(shape) };
      case 'permute': {
        const x = this.#view(op.x);
        return { ...x, shape, strides: op.axes.map((axis) => x.strides[axis] ?? 0) };
      }
      case 'broadcast': {
        const x = this.#view(op.x);
        return { ...x, shape, strides: x.strides.map((stride, i) => (x.shape[i] === shape[i] ? stride : 0)) };
      }
      case 'slice': {
        const x = this.#view(op.x);
        const offset = op.begin.reduce((at, index, i) => at + index * (x.strides[i] ?? 0), x.offset);
        return { ...x, offset, shape };
      }
      case 'pad': {
        const out = denseView(this.#buffer(shape), shape);
        this.#map('affine', out, this.#anything(shape));
        this.#map('copy', partOf(out, op.begin, op.x.shape), this.#view(op.x));
        return out;
      }
      case 'concat': {
        const out = denseView(this.#buffer(shape), shape);
        let at = 0;
        for (const part of op.parts) {
          const begin = shape.map((_, i) => (i === op.axis ? at : 0));
          this.#map('copy', partOf(out, begin, part.shape), this.#view(part));
          at += part.shape[op.axis] ?? 0;
        }
        return out;
      }
      case 'unary':
        return this.#mapped(op.f, shape, this.#view(op.x));
      case 'affine':
        return this.#mapped('affine', shape, this.#view(op.x), undefined, [op.scale, op.shift]);
      case 'binary':
        return this.#mapped(op.f, shape, this.#view(op.x), this.#view(op.y));
      case 'matmul':
        return this.#matmul(shape, op.x, op.y);
      case 'sum':
      case 'cumsum': {
        const sizes = around(op.x.shape, op.axis);
        return this.#kernel(shape, [op.x], ([x = 0], out) => [
          op.kind === 'sum' ? kernels.total(x, out, sizes) : kernels.cumulate(x, out, sizes, op.reverse),
        ]);
      }
      case 'softmax': {
        const { scale: factor, mask } = op;
        const size = { rows: rowsOf(shape), queries: shape.at(-2) ?? 1, keys: columnsOf(shape), factor, ...mask };
        this.#widest = Math.max(this.#widest, size.keys);
        return this.#kernel(shape, [op.x], ([x = 0], out) => [kernels.softmax(x, out, size)]);
      }
      case 'softmaxGradient': {
        const size = { rows: rowsOf(shape), keys: columnsOf(shape), factor: op.scale };
        return this.#kernel(shape, [op.y, op.dy], ([y = 0, dy = 0], out) => [
          kernels.softmaxGradient(y, dy, out, size),
        ]);
      }
      case 'norm': {
        const size = { rows: rowsOf(shape), columns: columnsOf(shape), epsilon: op.epsilon, centred: op.centred };
        return this.#kernel(shape, [op.x], ([x = 0], out) => [kernels.norm(x, out, size)]);
      }
      case 'normGradient': {
        const size = { rows: rowsOf(shape), columns: columnsOf(shape), epsilon: op.epsilon, centred: op.centred };
        return this.#kernel(shape, [op.x, op.dy], ([x = 0, dy = 0], out) => [kernels.normGradient(x, dy, out, size)]);
      }
      case 'gather':
        return this.#kernel(shape, [op.table, op.ids], ([table = 0, ids = 0], out) => [
          kernels.gather(table, ids, out, rowsOf(shape), columnsOf(shape)),
        ]);
      case 'scatter':
        return this.#kernel(shape, [op.x, op.ids], ([x = 0, ids = 0], out) => [
          kernels.scatter(x, ids, out, sizeOf(op.ids.shape), columnsOf(shape), rowsOf(shape)),
        ]);
      case 'crossEntropy':
        return this.#kernel(shape, [op.logits, op.labels], ([logits = 0, labels = 0], out) => [
          kernels.crossEntropy(logits, labels, out, sizeOf(shape), columnsOf(op.logits.shape)),
        ]);
      case 'crossEntropyGradient':
        return this.#kernel(shape, [op.logits, op.labels, op.dy], ([logits = 0, labels = 0, dy = 0], out) => [
          kernels.crossEntropyGradient([logits, labels, dy], out, rowsOf(shape), columnsOf(shape)),
        ]);
      case 'convolve': {
        const size = convolutionOf(op.x.shape, op.filter.shape[0] ?? 1);
        return this.#kernel(shape, [op.x, op.filter], ([x = 0, filter = 0], out) => [
          kernels.convolve(x, filter, out, size, op.ahead),
        ]);
      }
      case 'convolveFilterGradient': {
        const size = convolutionOf(op.x.shape, shape[0] ?? 1);
        return this.#kernel(shape, [op.x, op.dy], ([x = 0, dy = 0], out) => [
          kernels.convolveFilterGradient(x, dy, out, size),
        ]);
      }
      default:
        return op satisfies never;
    }
  }

  #buffer(shape: readonly number[], source?: Tensor): number {
    return this.#buffers.push({ length: sizeOf(shape), source }) - 1;
  }

  #view(x: Tensor): View {
    const view = this.#views.get(x);
    if (!view) throw new RangeError('an operand comes after its use');
    return view;
  }

  /** The operand side by side in memory: as it is, or as a copy that all who want it share. */
  #denseOf(x: Tensor): View {
    const view = this.#view(x);
    if (isDense(view)) return view;
    const known = this.#dense.get(x);
    if (known) return known;
    const copy = this.#copy(view);
    this.#dense.set(x, copy);
    return copy;
  }

  #copy(view: View): View {
    return this.#mapped('copy', view.shape, view);
  }

  /** A view of one zero, repeated. Its buffer is filled by whoever reads it through `affine` with factors of 0. */
  #anything(shape: readonly number[]): View {
    this.#zero ??= this.#buffer([1], { id: -1, shape: [1], op: { kind: 'constant', values: new Float32Array(1) } });
    return { buffer: this.#zero, offset: 0, shape, strides: shape.map(() => 0) };
  }
  #zero: number | undefined;

  /** A kernel that wants its operands dense and writes a dense result. */
  #kernel(
    shape: readonly number[],
    operands: readonly Tensor[],
    commands: (operands: readonly number[], out: number) => readonly Command[],
  ): View {
    const views = operands.map((x) => this.#denseOf(x));
    const out = denseView(this.#buffer(shape), shape);
    this.#steps.push({
      reads: views.map(({ buffer }) => buffer),
      writes: out.buffer,
      commands: (at) =>
        commands(
          views.map((view) => addressOf(view, at)),
          at(out.buffer),
        ),
    });
    return out;
  }

  #mapped(
    f: kernels.MapFunction,
    shape: readonly number[],
    x: View,
    y?: View,
    numbers?: readonly [number, number],
  ): View {
    const out = denseView(this.#buffer(shape), shape);
    this.#map(f, out, x, y, numbers);
    return out;
  }

  #map(f: kernels.MapFunction, out: View, x: View, y?: View, numbers?: readonly [number, number]): void {
    const views = [x, ...(y ? [y] : []), out];
    const joined = joinAxes(
      out.shape,
      views.map(({ strides }) => strides),
    );
    this.#steps.push({
      reads: [x.buffer, ...(y ? [y.buffer] : [])],
      writes: out.buffer,
      commands(at) {
        const commands: Command[] = [];
        // The kernel walks four axes; those before them are walked here.
        const outside = joined.shape.slice(0, -4);
        for (let i = 0; i < sizeOf(outside); i++) {
          const index = stridesOf(outside).map((stride, axis) => Math.floor(i / stride) % (outside[axis] ?? 1));
          const strided = views.map((view, which) => {
            const strides = joined.strides[which] ?? [];
            const begin = index.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0);
            return { address: addressOf(view, at) + 4 * begin, strides: strides.slice(-4) };
          });
          const [first, second] = strided;
          const last = strided.at(-1);
          if (!first || !last) continue;
          commands.push(kernels.map(f, joined.shape.slice(-4), first, y && second, last, numbers));
        }
        return commands;
      },
    });
  }

  #matmul(shape: readonly number[], left: Tensor, right: Tensor): View {
    const out = denseView(this.#buffer(shape), shape);
    const batchOf = ({ strides }: View) => strides.slice(0, -2);
    let [x, y] = [this.#view(left), this.#view(right)];
    const join = () => joinAxes(shape.slice(0, -2), [batchOf(x), batchOf(y), batchOf(out)]);
    let batch = join();
    if (batch.shape.length > 2) {
      [x, y] = [this.#denseOf(left), this.#denseOf(right)];
      batch = join();
    }
    const two = (values: readonly number[] | undefined, fill: number): readonly [number, number] => [
      values?.at(-2) ?? fill,
      values?.at(-1) ?? fill,
    ];
    const matrix = (view: View, which: number, at: Addresses) => ({
      address: addressOf(view, at),
      row: view.strides.at(-2) ?? 0,
      column: view.strides.at(-1) ?? 0,
      batch: two(batch.strides[which], 0),
    });
    this.#steps.push({
      reads: [x.buffer, y.buffer],
      writes: out.buffer,
      commands: (at) => [
        kernels.product({
          ...{ m: shape.at(-2) ?? 1, n: columnsOf(shape), k: columnsOf(x.shape), batch: two(batch.shape, 1) },
          ...{ a: matrix(x, 0, at), b: matrix(y, 1, at), c: matrix(out, 2, at) },
        }),
      ],
    });
    return out;
  }
}

const addressOf = ({ buffer, offset }: View, at: Addresses): number => at(buffer) + 4 * offset;
const columnsOf = (shape: readonly number[]): number => shape.at(-1) ?? 1;
const rowsOf = (shape: readonly number[]): number => sizeOf(shape.slice(0, -1));

function partOf(view: View, begin: readonly number[], shape: readonly number[]): View {
  const offset = begin.reduce((at, index, i) => at + index * (view.strides[i] ?? 0), view.offset);
  return { ...view, offset, shape };
}

/** Elements before an axis, along it, and behind it. */
function around(shape: readonly number[], axis: number): readonly [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis] ?? 1, sizeOf(shape.slice(axis + 1))];
}

function convolutionOf(shape: readonly number[], taps: number): kernels.ConvolutionShape {
  const [batch = 1, n = 1, channels = 1] = shape;
  return { batch, n, channels, taps };
}
