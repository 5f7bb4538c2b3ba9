import type { Encoder } from '@loci/device';
import { copy } from '@loci/kernels';
import type { Host, LayerView, Probe, Probing } from 'loci';
import { slotRange } from '../keeping/rows.ts';

/** Keeps attention's results of every layer, for the rows of the last program of a prompt: [n, h, d] each. */
export class AttendedProbe implements Probe {
  readonly axis = 'probe';
  readonly name = 'attended';
  readonly spec = 'attended';
  readonly needs = {};
  found: readonly Float32Array[] = [];

  open(host: Host): Probing {
    return new Probed(host, this);
  }
}

class Probed implements Probing {
  readonly #host: Host;
  readonly #probe: AttendedProbe;
  #rooms: { readonly address: number; readonly floats: number }[] = [];

  constructor(host: Host, probe: AttendedProbe) {
    this.#host = host;
    this.#probe = probe;
  }

  attended(encoder: Encoder, { moment, n, attended: from }: LayerView): void {
    if (moment !== 'prompt end') return;
    const { device, arch } = this.#host;
    const columns = arch.heads * arch.headSize;
    const address = device.allocate(4 * n * (columns + 1));
    const rows = address + 4 * n * columns;
    device.ints(rows, n).set(slotRange(0, n));
    encoder.record(copy({ from, stride: columns, rows, n, columns, out: address }));
    this.#rooms.push({ address, floats: n * columns });
  }

  ran(): void {
    if (this.#rooms.length === 0) return;
    const { device } = this.#host;
    this.#probe.found = this.#rooms.map(({ address, floats }) => Float32Array.from(device.floats(address, floats)));
    this.close();
  }

  result(): unknown {
    return null;
  }

  close(): void {
    for (const { address } of this.#rooms.splice(0)) this.#host.device.free(address);
  }
}
