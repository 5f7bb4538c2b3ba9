import type { Encoder } from '@loci/device';
import { copy, fetch } from '@loci/kernels';
import type { Host, LayerView, Model, Probe, Probing } from 'loci';
import { slotRange } from '../keeping/rows.ts';

/** What some layers' heads had before them when a text was read densely, in float32. */
export interface CapturedText {
  readonly host: Host;
  readonly layers: ReadonlyMap<number, CapturedLayer>;
}

export interface CapturedLayer {
  /** Of the wanted positions, in their order: [positions, d] of every query head. */
  readonly queries: readonly Float32Array[];
  /** Of all positions: [n, d] of every key/value head. */
  readonly keys: readonly Float32Array[];
}

/**
 * Reads a text and returns rotated queries at some positions, ascending, and all keys, of some layers; `work` gets them, and the
 * device, which is the session's.
 */
export async function withCaptured<T>(
  model: Model,
  ids: Int32Array,
  { positions, layers }: { readonly positions: readonly number[]; readonly layers: readonly number[] },
  work: (captured: CapturedText) => Promise<T>,
): Promise<T> {
  const opened: Capture[] = [];
  const probe: Probe = {
    ...{ axis: 'probe', name: 'captured', spec: 'captured', needs: { excludes: ['slots'] } },
    open(host) {
      const capture = new Capture(host, positions, layers);
      opened.push(capture);
      return capture;
    },
  };
  const session = await model.open({ probes: [probe] });
  try {
    await session.prefill({ ids });
    const [capture] = opened;
    if (!capture) throw new Error('the probe was not opened');
    return await work(capture.taken());
  } finally {
    session.close();
  }
}

class Capture implements Probing {
  readonly #host: Host;
  readonly #positions: readonly number[];
  readonly #rooms: ReadonlyMap<number, Room>;

  constructor(host: Host, positions: readonly number[], layers: readonly number[]) {
    const { heads: h, headSize: d } = host.arch;
    this.#host = host;
    this.#positions = positions;
    this.#rooms = new Map(
      layers.map((layer) => [
        layer,
        { queries: host.device.allocate(4 * positions.length * (h * d + 1)), count: 0, keys: 0 },
      ]),
    );
  }

  attended(encoder: Encoder, { layer, queries, n, positions, moment, cache, format, slots }: LayerView): void {
    const room = this.#rooms.get(layer);
    if (!room) return;
    const { device, arch } = this.#host;
    const { heads: h, kvHeads: g, headSize: d } = arch;
    const [start = 0] = device.ints(positions, n);
    const wanted = this.#positions.filter((position) => position >= start && position < start + n);
    const before = this.#positions.filter((position) => position < start).length;
    if (wanted.length > 0) {
      const rows = room.queries + 4 * (this.#positions.length * h * d + before);
      device.ints(rows, wanted.length).set(wanted.map((position) => position - start));
      const out = room.queries + 4 * before * h * d;
      encoder.record(copy({ from: queries, stride: h * d, rows, n: wanted.length, columns: h * d, out }));
    }
    if (moment !== 'prompt end') return;
    room.count = slots;
    room.keys = device.allocate(4 * slots * ((g + 1) * d + 2));
    const values = room.keys + 4 * slots * g * d;
    const lists = values + 4 * slots * d;
    device.ints(lists, slots).set(slotRange(0, slots));
    for (let head = 0; head < g; head++) {
      const keys = room.keys + 4 * head * slots * d;
      const read = { slots: lists, count: slots, d, format, keys, values, positions: lists + 4 * slots };
      encoder.record(fetch({ head: cache.headsOf(layer, head), ...read }));
    }
  }

  taken(): CapturedText {
    const { device, arch } = this.#host;
    const { heads: h, kvHeads: g, headSize: d } = arch;
    const n = this.#positions.length;
    const layers = Array.from(this.#rooms, ([layer, { queries, keys, count }]): readonly [number, CapturedLayer] => {
      const all = device.floats(queries, n * h * d);
      const heads = Array.from({ length: h }, (_, head) => {
        const own = new Float32Array(n * d);
        for (let row = 0; row < n; row++)
          own.set(all.subarray((row * h + head) * d, (row * h + head + 1) * d), row * d);
        return own;
      });
      const rows = Array.from({ length: g }, (_, head) =>
        device.floats(keys + 4 * head * count * d, count * d).slice(),
      );
      return [layer, { queries: heads, keys: rows }];
    });
    return { host: this.#host, layers: new Map(layers) };
  }

  result(): unknown {
    return null;
  }

  close(): void {
    for (const { queries, keys } of this.#rooms.values()) {
      this.#host.device.free(queries);
      if (keys) this.#host.device.free(keys);
    }
  }
}

interface Room {
  readonly queries: number;
  keys: number;
  count: number;
}
