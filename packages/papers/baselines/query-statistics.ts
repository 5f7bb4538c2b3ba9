import type { Encoder } from '@loci/device';
import { copy } from '@loci/kernels';
import type { Host, LayerView } from 'loci';

/** Mean [d] and covariance [d, d] of a head's queries. */
export interface Distribution {
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
}

/** Rows that are taken in together, so that a sum is read and written once for all of them. */
const rowsAtOnce = 4;

function set(to: Float64Array, from: Float32Array): Float64Array {
  to.set(from);
  return to;
}

/** How the queries of every head are distributed before they are turned to their positions. */
export class QueryStatistics {
  readonly #host: Host;
  /** Rows before this position do not count. */
  readonly #from: number;
  /** The queries of a program: [layers, n, h, d], and the numbers of its rows. */
  #room: { readonly address: number; readonly rows: number } | undefined;
  #count = 0;
  #sums: Float64Array;
  /** The lower triangle of Σ q qᵀ: [layers, h, d, d]. */
  #products: Float64Array;

  constructor(host: Host, from: number) {
    this.#host = host;
    this.#from = from;
    const { layers, heads, headSize: d } = host.arch;
    this.#sums = new Float64Array(layers.length * heads * d);
    this.#products = new Float64Array(layers.length * heads * d * d);
  }

  begin(): void {
    this.#count = 0;
    this.#sums.fill(0);
    this.#products.fill(0);
  }

  record(encoder: Encoder, { layer, n, queries }: LayerView): void {
    const { device, arch } = this.#host;
    const columns = arch.heads * arch.headSize;
    if (layer === 0) {
      this.close();
      const [address, rows] = [device.allocate(4 * arch.layers.length * n * columns), device.allocate(4 * n)];
      device.ints(rows, n).set(Int32Array.from({ length: n }, (_, row) => row));
      this.#room = { address, rows };
    }
    if (!this.#room) throw new RangeError('queries begin at layer 0');
    const { address, rows } = this.#room;
    encoder.record(copy({ from: queries, stride: columns, rows, n, columns, out: address + 4 * layer * n * columns }));
  }

  /** Takes in the n rows of the program that has run. */
  add(position: number, n: number): void {
    if (!this.#room) return;
    const { device, arch } = this.#host;
    const { heads, headSize: d } = arch;
    const skipped = Math.min(n, Math.max(0, this.#from - position));
    this.#count += n - skipped;
    const queries = Array.from({ length: rowsAtOnce }, () => new Float64Array(d));
    for (const layer of arch.layers.keys()) {
      const all = device.floats(this.#room.address + 4 * layer * n * heads * d, n * heads * d);
      for (let first = skipped; first < n; first += rowsAtOnce) {
        const turned = Array.from({ length: Math.min(rowsAtOnce, n - first) }, (_, row) =>
          turns(arch.layers[layer]?.frequencies ?? [], -(position + first + row), 1),
        );
        for (let head = 0; head < heads; head++) {
          for (const [row, query] of queries.entries()) {
            const turn = turned[row];
            const at = ((first + row) * heads + head) * d;
            // Rows beyond the last one add nothing.
            if (turn) this.#turn(set(query, all.subarray(at, at + d)), turn);
            else query.fill(0);
          }
          this.#take(queries, layer * heads + head);
        }
      }
    }
    this.close();
  }

  #take([a, b, c, e]: readonly Float64Array[], head: number): void {
    if (!a || !b || !c || !e) return;
    const d = a.length;
    const [sums, products] = [this.#sums, this.#products];
    for (let i = 0; i < d; i++) {
      const [ai, bi, ci, ei] = [a[i]!, b[i]!, c[i]!, e[i]!];
      sums[head * d + i]! += ai + bi + ci + ei;
      const row = (head * d + i) * d;
      for (let j = 0; j <= i; j++) products[row + j]! += ai * a[j]! + bi * b[j]! + ci * c[j]! + ei * e[j]!;
    }
  }

  /** The mean of the turns to `positions` positions from `first` on, which the heads of a layer have in common. */
  turnAhead(layer: number, first: number, positions: number): Turn {
    return turns(this.#host.arch.layers[layer]?.frequencies ?? [], first, positions);
  }

  /** The distribution of a head's queries, turned. */
  turned(layer: number, head: number, turn: Turn): Distribution {
    const { heads, headSize: d } = this.#host.arch;
    const index = layer * heads + head;
    const mean = this.#sums.slice(index * d, (index + 1) * d).map((sum) => sum / this.#count);
    const covariance = new Float64Array(d * d);
    for (let i = 0; i < d; i++) {
      for (let j = 0; j <= i; j++) {
        const product = (this.#products[(index * d + i) * d + j] ?? 0) / this.#count;
        covariance[i * d + j] = product - (mean[i] ?? 0) * (mean[j] ?? 0);
        covariance[j * d + i] = covariance[i * d + j] ?? 0;
      }
    }
    // R Σ Rᵀ: rows, then columns, which are rows again since it is symmetric.
    for (let side = 0; side < 2; side++) {
      for (let i = 0; i < d; i++) this.#turn(covariance.subarray(i * d, (i + 1) * d), turn);
      transpose(covariance, d);
    }
    this.#turn(mean, turn);
    return { mean, covariance };
  }

  #turn(x: Float64Array, { cos, sin }: Turn): void {
    const { pairs } = this.#host.arch;
    const half = cos.length;
    for (let j = 0; j < half; j++) {
      const [first, second] = pairs === 'neighbours' ? [2 * j, 2 * j + 1] : [j, j + half];
      const [a, b, c, s] = [x[first] ?? 0, x[second] ?? 0, cos[j] ?? 1, sin[j] ?? 0];
      x[first] = a * c - b * s;
      x[second] = a * s + b * c;
    }
  }

  close(): void {
    if (!this.#room) return;
    this.#host.device.free(this.#room.address);
    this.#host.device.free(this.#room.rows);
    this.#room = undefined;
  }
}

/** For every pair of channels. */
export interface Turn {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/** The mean of the turns to `count` positions from `first` on. */
function turns(frequencies: ArrayLike<number>, first: number, count: number): Turn {
  const mean = (of: (angle: number) => number) =>
    Float64Array.from(frequencies, (frequency) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += of(frequency * (first + i));
      return sum / count;
    });
  return { cos: mean(Math.cos), sin: mean(Math.sin) };
}

function transpose(a: Float64Array, d: number): void {
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < i; j++) {
      const above = a[j * d + i] ?? 0;
      a[j * d + i] = a[i * d + j] ?? 0;
      a[i * d + j] = above;
    }
  }
}
