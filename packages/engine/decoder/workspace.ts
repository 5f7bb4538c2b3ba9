import type { Device } from '@loci/device';
import { type ByteRows, type Bytes8, choiceWordCount } from '@loci/kernels';
import type { Architecture } from '../families/architecture.ts';
import type { Rows } from './linear.ts';
import type { LayerMatrix } from './weight-loader.ts';

/** Rows that pass through the decoder in one program. */
export const maxRows = 512;
/** Rows whose logits are turned into losses at a time: each is a vocabulary wide, so they are few. */
export const lossBatch = 32;

export type Precision = 'int8' | 'float32';

/** In which forms a set of matrices takes its input. */
export interface InputForms {
  readonly float: boolean;
  readonly bytes: boolean;
  /** With a scale per row, and sums over groups of so many columns. */
  readonly rows: number | undefined;
}

export function inputForms(precision: Precision, matrices: readonly LayerMatrix[]): InputForms {
  const float = (matrix: LayerMatrix) => precision === 'float32' || matrix.layout === 'f32';
  const integer = matrices.filter((matrix) => !float(matrix));
  const progressive = integer.find((matrix) => matrix.layout === 'progressive');
  return {
    float: matrices.some(float),
    bytes: integer.some((matrix) => matrix.layout !== 'progressive'),
    rows: progressive?.group,
  };
}

/** Intermediate results of one program, for up to `maxRows` rows. All are float32 unless said otherwise. */
export class Workspace {
  readonly ids: number;
  readonly positions: number;
  /** 1 where a row's token stands in its sequence before, else 0: [n]. */
  readonly repeated: number;
  /** The residual stream [n, c]. */
  readonly x: number;
  /** Normed input of a block: [n, c]. */
  readonly normed: Rows;
  readonly q: number;
  readonly k: number;
  readonly v: number;
  /** Attention's result [n, h · d], or that of another way to mix [n, c]. */
  readonly mixed: Rows;
  readonly gate: number;
  readonly up: number;
  /** act(gate) · up */
  readonly inner: Rows;
  /** A block's output before its own norm: [n, c]. */
  readonly block: number;
  /** Numbers of the rows that go through the output head for their loss and for their logits. */
  readonly lossRows: number;
  readonly logitRows: number;
  /** Those rows of the residual stream [n, c] and their normed form. */
  readonly lastRows: number;
  readonly last: Rows;
  readonly targets: number;
  /** How tokens are chosen, words [n, `choiceWordCount`], and which they are, int32 [n]. */
  readonly choices: number;
  readonly chosen: number;
  /** Of a program that goes on: how far it is (`stepWords`), tokens that end it, and those of all steps [steps, n]; int32. */
  readonly steps: number;
  readonly ends: number;
  readonly taken: number;
  /** [n, 2], see the loss kernel. */
  readonly losses: number;
  readonly #device: Device;
  readonly #tables: { cos: number; sin: number }[];
  /** Products of layers with a state, by name: they take turns. */
  readonly #products = new Map<string, number>();
  readonly #growing = new Map<string, { address: number; bytes: number }>();
  #edition = 0;

  constructor(device: Device, arch: Architecture, rotations: number) {
    this.#device = device;
    const floats = (columns: number) => device.allocate(maxRows * Math.ceil(columns / 8) * 32);
    const bytes = (columns: number): Bytes8 => ({
      q: device.allocate(maxRows * columns),
      meta: device.allocate(maxRows * Math.ceil(columns / 32) * 16),
    });
    const rows = (columns: number): ByteRows => ({
      ...{ q: device.allocate(maxRows * columns), scales: floats(1) },
      sums: device.allocate(maxRows * Math.ceil(columns / 32) * 4),
    });
    const forms = (columns: number): Rows => ({ float: floats(columns), bytes: bytes(columns), rows: rows(columns) });
    const { width, heads, kvHeads, headSize, hidden } = arch;
    this.ids = floats(1);
    this.positions = floats(1);
    this.repeated = floats(1);
    this.lossRows = floats(1);
    this.logitRows = floats(1);
    this.targets = floats(1);
    this.choices = floats(choiceWordCount);
    this.chosen = floats(1);
    this.steps = floats(1);
    this.ends = floats(1);
    this.taken = floats(1);
    this.losses = floats(2);
    this.x = floats(width);
    this.normed = forms(width);
    this.q = floats(heads * headSize);
    this.k = floats(kvHeads * headSize);
    this.v = floats(kvHeads * headSize);
    this.mixed = forms(Math.max(heads * headSize, width));
    const wide = new Map<string, number>();
    for (const [name, { rows }] of arch.layers.flatMap(({ mix }) => Object.entries(mix?.layer.products ?? {}))) {
      wide.set(name, Math.max(rows, wide.get(name) ?? 0));
    }
    for (const [name, rows] of wide) this.#products.set(name, floats(rows));
    this.gate = floats(hidden);
    this.up = floats(hidden);
    // The inner activations may take the gate's place: each is read just before it is written.
    this.inner = { float: this.gate, bytes: bytes(hidden), rows: rows(hidden) };
    this.block = floats(width);
    this.lastRows = floats(width);
    this.last = forms(width);
    this.#tables = Array.from({ length: rotations }, () => ({
      cos: floats(arch.rotated / 2),
      sin: floats(arch.rotated / 2),
    }));
  }

  /** Addresses of cos and sin [n, rotated / 2] of the i-th distinct rotation. */
  table(rotation: number): { readonly cos: number; readonly sin: number } {
    const table = this.#tables[rotation];
    if (!table) throw new RangeError(`rotation ${rotation} of ${this.#tables.length}`);
    return table;
  }

  /** Address of [n, rows] of a product by name, rows rounded up to 8. */
  product(name: string): number {
    const found = this.#products.get(name);
    if (found === undefined) throw new RangeError(`there is no room for "${name}"`);
    return found;
  }

  /** Another one whenever a buffer has grown: then it lies elsewhere. */
  get edition(): number {
    return this.#edition;
  }

  /** A buffer of at least `count` floats that is kept until a larger one is asked for under the same name. */
  growing(name: 'logits' | 'partials' | 'hidden' | 'adjustments', count: number): number {
    const held = this.#growing.get(name);
    if (held && held.bytes >= count * 4) return held.address;
    if (held) this.#device.free(held.address);
    const address = this.#device.allocate(count * 4);
    this.#growing.set(name, { address, bytes: count * 4 });
    this.#edition++;
    return address;
  }
}
