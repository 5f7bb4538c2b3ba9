import type { Encoder } from '@loci/device';
import { scale } from '@loci/kernels';
import type { Host, LayerView, Steering } from 'loci';
import type { HeadName } from './heads.ts';

export interface MaskOptions {
  /**
   * What is left of a head: nothing, the mean of all values that it sees, or its mean output over a text, [layer][head × d].
   */
  readonly mode: 'zero' | 'uniform' | { readonly means: readonly Float32Array[] };
  /** Rows that it is about: those that produce tokens (the last one of a prompt and those behind it), or all. */
  readonly scope: 'decode' | 'all';
}

/** Switches heads off. Which ones can be said anew between two calls of a session. */
export class HeadMask implements Steering {
  readonly #host: Host;
  readonly #options: MaskOptions;
  /** float32 [layers, heads] */
  readonly #factors: number;
  /** float32 [layers, heads, d] where outputs are replaced by means. */
  readonly #shifts: number | undefined;
  #layers = new Set<number>();

  constructor(host: Host, options: MaskOptions, heads: readonly HeadName[]) {
    const { device, arch } = host;
    this.#host = host;
    this.#options = options;
    const count = arch.layers.length * arch.heads;
    this.#factors = device.allocate(4 * count);
    this.#shifts = typeof options.mode === 'object' ? device.allocate(4 * count * arch.headSize) : undefined;
    this.set(heads);
  }

  set(heads: readonly HeadName[]): void {
    const { device, arch } = this.#host;
    const { heads: h, headSize: d, layers } = arch;
    const factors = device.floats(this.#factors, layers.length * h).fill(1);
    for (const { layer, head } of heads) factors[layer * h + head] = 0;
    this.#layers = new Set(heads.map(({ layer }) => layer));
    const { mode } = this.#options;
    if (this.#shifts === undefined || typeof mode !== 'object') return;
    const shifts = device.floats(this.#shifts, layers.length * h * d).fill(0);
    for (const { layer, head } of heads) {
      const mean = mode.means[layer]?.subarray(head * d, (head + 1) * d);
      if (mean) shifts.set(mean, (layer * h + head) * d);
    }
  }

  /** Queries of nothing but zeros make all weights equal. */
  rotated(encoder: Encoder, view: LayerView): void {
    if (this.#options.mode === 'uniform') this.#record(encoder, view, view.queries);
  }

  attended(encoder: Encoder, view: LayerView): void {
    if (this.#options.mode !== 'uniform') this.#record(encoder, view, view.attended);
  }

  close(): void {
    this.#host.device.free(this.#factors);
    if (this.#shifts !== undefined) this.#host.device.free(this.#shifts);
  }

  #record(encoder: Encoder, { layer, n, moment }: LayerView, rows: number): void {
    if (!this.#layers.has(layer)) return;
    const { heads: h, headSize: d } = this.#host.arch;
    const masked = this.#options.scope === 'all' || moment === 'decode' ? n : moment === 'prompt end' ? 1 : 0;
    if (masked === 0) return;
    encoder.record(
      scale({
        ...{ x: rows + 4 * (n - masked) * h * d, n: masked, groups: h, columns: d },
        factors: this.#factors + 4 * layer * h,
        ...(this.#shifts !== undefined && { shifts: this.#shifts + 4 * layer * h * d }),
      }),
    );
  }
}
