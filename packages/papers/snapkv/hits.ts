import type { Encoder } from '@loci/device';
import { weigh, weighStride } from '@loci/kernels';
import type { Host, LayerView, Probe, Probing, Ran } from 'loci';
import { highest } from '../keeping/select.ts';
import { Votes } from '../keeping/votes.ts';

/** Hits and important positions, added up: [layer][window of generated tokens]. */
export type Hits = readonly (readonly {
  readonly hits: number;
  readonly drawn: number;
  readonly important: number;
}[])[];

/**
 * The paper's measurement of its own premise: of the positions of the prompt to which a generated token gives more than
 * `threshold` of its attention, how many are among the share `share` with the most votes of the prompt's last rows
 * (`drawn`: among evenly spread ones). Reads a prompt, then a continuation in one program.
 */
export class HitProbe implements Probe {
  readonly axis = 'probe';
  readonly name = 'hits';
  readonly spec = 'hits';
  readonly needs = {};
  readonly share = 0.05;
  readonly threshold = 0.05;
  /** Rows that vote, and rows of a window of generated tokens. */
  readonly window = 32;
  /** The first positions take attention from every token and are selected by everyone. */
  readonly skipped = 4;
  found: Hits = [];

  open(host: Host): Probing {
    return new Probed(host, this);
  }
}

class Probed implements Probing {
  readonly #host: Host;
  readonly #probe: HitProbe;
  readonly #votes: Votes;
  #prompt = 0;
  /** Weights of a continuation's rows: [layers, n, h, stride]. */
  #rows: { readonly address: number; readonly states: number; readonly n: number; readonly stride: number } | undefined;

  constructor(host: Host, probe: HitProbe) {
    this.#host = host;
    this.#probe = probe;
    this.#votes = new Votes(host);
  }

  attended(encoder: Encoder, view: LayerView): void {
    if (view.moment === 'prompt end') this.#votes.record(encoder, view, this.#probe.window);
    if (view.moment !== 'decode') return;
    const { device, arch } = this.#host;
    const { heads: h, kvHeads: g, headSize: d } = arch;
    const { n, scale, window, queries, positions, format } = view;
    if (view.layer === 0) {
      this.#free();
      const stride = weighStride(view.slots);
      const address = device.allocate(4 * arch.layers.length * n * h * stride);
      this.#rows = { address, states: device.allocate(8 * n * h), n, stride };
    }
    if (!this.#rows) return;
    const { address, states, stride } = this.#rows;
    encoder.record(
      weigh({
        ...{ n, h, g, d, heads: view.heads, appended: n, scale, window, queries, positions, format, states, stride },
        out: address + 4 * view.layer * n * h * stride,
        rows: 'each',
      }),
    );
  }

  ran({ moment, position, n }: Ran): void {
    if (moment !== 'decode') this.#prompt = position + n;
    else this.#count();
  }

  result(): Hits {
    return this.#probe.found;
  }

  #count(): void {
    if (!this.#rows) return;
    const { address, n, stride } = this.#rows;
    const { device, arch } = this.#host;
    const { share, threshold, window, skipped } = this.#probe;
    const prefix = this.#prompt - window;
    const size = Math.floor(share * prefix);
    this.#probe.found = arch.layers.map((_, layer) => {
      const windows = Array.from({ length: Math.ceil(n / window) }, () => ({ hits: 0, drawn: 0, important: 0 }));
      for (let head = 0; head < arch.heads; head++) {
        const voted = new Set(highest(this.#votes.of(layer, head, prefix), size));
        for (let row = 0; row < n; row++) {
          const weights = device.floats(address + 4 * ((layer * n + row) * arch.heads + head) * stride, prefix);
          const counts = windows[Math.floor(row / window)];
          if (!counts) continue;
          for (let slot = skipped; slot < prefix; slot++) {
            if ((weights[slot] ?? 0) <= threshold) continue;
            counts.important++;
            if (voted.has(slot)) counts.hits++;
            if (slot % Math.round(1 / share) === head) counts.drawn++;
          }
        }
      }
      return windows;
    });
    this.#free();
  }

  #free(): void {
    if (!this.#rows) return;
    this.#host.device.free(this.#rows.address);
    this.#host.device.free(this.#rows.states);
    this.#rows = undefined;
  }

  close(): void {
    this.#free();
    this.#votes.close();
  }
}
