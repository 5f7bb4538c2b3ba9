import type { Encoder } from '@loci/device';
import { copy, fetch } from '@loci/kernels';
import type { Host, LayerView, Model, Probe, Probing } from 'loci';
import { slotRange } from './rows.ts';

/** What a layer's attention had before it, in float32. */
export interface CapturedLayer {
  /** Rotated queries of some rows: [rows, h, d]. */
  readonly queries: Float32Array;
  /** Keys and values of every slot, one array [slots, d] per key/value head. */
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/**
 * Reads a prompt, and behind it some more tokens in one program, with dense attention, and returns queries of some of
 * these, and all keys and values.
 */
export async function capture(
  model: Model,
  context: Int32Array,
  behind: Int32Array,
  rows: readonly number[],
): Promise<readonly CapturedLayer[]> {
  const probing: { capture?: Capture } = {};
  const probe: Probe = {
    ...{ axis: 'probe', name: 'capture', spec: 'capture', needs: { excludes: ['slots'] } },
    open(host) {
      probing.capture = new Capture(host, rows);
      return probing.capture;
    },
  };
  const session = await model.open({ probes: [probe], store: 'f32' });
  try {
    await session.prefill({ ids: context });
    await session.prefill({ ids: Int32Array.from([...context, ...behind]) });
    return probing.capture?.layers ?? [];
  } finally {
    session.close();
  }
}

class Capture implements Probing {
  layers: readonly CapturedLayer[] = [];
  readonly #host: Host;
  readonly #rows: readonly number[];
  #rooms: { readonly queries: number; readonly slots: number; readonly rows: number; readonly count: number }[] = [];

  constructor(host: Host, rows: readonly number[]) {
    this.#host = host;
    this.#rows = rows;
  }

  attended(encoder: Encoder, view: LayerView): void {
    // Only the program behind the prompt begins where something is already and ends it.
    if (view.moment !== 'prompt end' || view.slots === view.n || this.#rows.some((row) => row >= view.n)) return;
    const { device, arch } = this.#host;
    const { heads: h, kvHeads: g, headSize: d } = arch;
    const [n, count] = [this.#rows.length, view.slots];
    const queries = device.allocate(4 * n * (h * d + 1));
    const list = queries + 4 * n * h * d;
    device.ints(list, n).set(this.#rows);
    encoder.record(copy({ from: view.queries, stride: h * d, rows: list, n, columns: h * d, out: queries }));
    const slots = device.allocate(4 * count * (2 + 2 * g * d));
    const rows = slots + 8 * count;
    device.ints(slots, count).set(slotRange(0, count));
    for (let head = 0; head < g; head++) {
      const keys = rows + 8 * head * count * d;
      encoder.record(
        fetch({
          ...{ head: view.cache.headsOf(view.layer, head), slots, count, d, format: view.format, keys },
          ...{ values: keys + 4 * count * d, positions: slots + 4 * count },
        }),
      );
    }
    this.#rooms.push({ queries, slots, rows, count });
  }

  ran(): void {
    if (this.#rooms.length === 0) return;
    const { device, arch } = this.#host;
    const { heads: h, kvHeads: g, headSize: d } = arch;
    this.layers = this.#rooms.map(({ queries, rows, count }) => {
      const floats = (at: number, length: number) => device.floats(at, length).slice();
      const each = (half: number) =>
        Array.from({ length: g }, (_, head) => floats(rows + 4 * (2 * head + half) * count * d, count * d));
      return { queries: floats(queries, this.#rows.length * h * d), keys: each(0), values: each(1) };
    });
    this.close();
  }

  result(): unknown {
    return null;
  }

  close(): void {
    for (const { queries, slots } of this.#rooms.splice(0)) {
      this.#host.device.free(queries);
      this.#host.device.free(slots);
    }
  }
}
