import type { Device, Encoder } from '@loci/device';
import { copy, layerNorm, norm } from '@loci/kernels';
import type { LayerContext } from './layer.ts';
import type { Placed } from './segment.ts';
import type { NormWeights } from './weights.ts';

/** Copies of the residual stream at every depth, for the rows that segments ask for: [depths][rows][c]. */
export class HiddenProbe {
  readonly #device: Device;
  readonly #context: LayerContext;
  readonly #rows: readonly number[];
  readonly #at: number;
  readonly #numbers: number;

  constructor(device: Device, context: LayerContext) {
    this.#device = device;
    this.#context = context;
    const { arch, workspace, placed } = context;
    this.#rows = placed.flatMap(({ segment, first }) => (segment.hidden ?? []).map((row) => first + row));
    const count = this.#rows.length;
    // The last part holds the row numbers themselves.
    const floats = count * (arch.layers.length + 2) * arch.width;
    this.#at = count > 0 ? workspace.growing('hidden', floats + count) : 0;
    this.#numbers = this.#at + floats * 4;
    if (count > 0) device.ints(this.#numbers, count).set(this.#rows);
  }

  /** Records the copy at one depth: 0 after the embedding, i after block i, then once more after the final norm. */
  record(encoder: Encoder, depth: number, finalNorm?: NormWeights): void {
    const n = this.#rows.length;
    if (n === 0) return;
    const { width, normEpsilon } = this.#context.arch;
    const out = this.#address(depth);
    encoder.record(
      copy({ from: this.#context.workspace.x, stride: width, rows: this.#numbers, n, columns: width, out }),
    );
    if (!finalNorm) return;
    const rows = { x: out, stride: width, rows: n, columns: width };
    const factors = { weight: finalNorm.weight.address, epsilon: normEpsilon, out };
    encoder.record(
      finalNorm.bias ? layerNorm({ ...rows, ...factors, bias: finalNorm.bias.address }) : norm({ ...rows, ...factors }),
    );
  }

  read({ segment, first }: Placed): Float32Array[][] {
    const { width, layers } = this.#context.arch;
    return (segment.hidden ?? []).map((row) => {
      const index = this.#rows.indexOf(first + row);
      return Array.from({ length: layers.length + 2 }, (_, depth) =>
        Float32Array.from(this.#device.floats(this.#address(depth) + index * width * 4, width)),
      );
    });
  }

  #address(depth: number): number {
    return this.#at + depth * this.#rows.length * this.#context.arch.width * 4;
  }
}
