import { readFileSync } from 'node:fs';
import type { Encoder } from '@loci/device';
import { perplexity } from '@loci/evaluate';
import { copy } from '@loci/kernels';
import {
  type Host,
  type KvCache,
  type LayerView,
  LociError,
  type Model,
  type ModelFacts,
  type Probing,
  type Ran,
  type Steer,
} from 'loci';
import { z } from 'zod';

/** Mean outputs of every head over a text: what a masked head says in place of what it would. */
export interface HeadMeans {
  /** [layer][head × d] */
  readonly rows: readonly Float32Array[];
  /** Why they do not belong to a model; undefined when they do. */
  foreign(model: ModelFacts): string | undefined;
}

const schema = z.strictObject({
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  /** How they were made. */
  made: z.record(z.string(), z.json()),
  means: z.array(z.array(z.number())),
});
export type HeadMeansFile = Readonly<z.output<typeof schema>>;

/** @throws LociError `bad-file` naming the file. */
export function readMeans(path: string): HeadMeans {
  try {
    const { model, means } = schema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return {
      rows: means.map((row) => Float32Array.from(row)),
      foreign({ name, fingerprint, arch }) {
        if (model.fingerprint !== fingerprint) return `the means were made for ${model.name}, and this is ${name}`;
        const columns = arch.heads * arch.headSize;
        const fits = means.length === arch.layers.length && means.every(({ length }) => length === columns);
        return fits ? undefined : `the means are not ${arch.layers.length} rows of ${columns}`;
      },
    };
  } catch (error) {
    const reason = error instanceof z.ZodError ? error.issues[0]?.message : error instanceof Error ? error.message : '';
    throw new LociError('bad-file', `${path} holds no mean outputs of heads: ${reason}`);
  }
}

/** Reads a text and takes the mean of what every head put out. */
export async function measureMeans(
  model: Model,
  ids: ArrayLike<number>,
  { steer = [], signal }: { readonly steer?: readonly Steer[]; readonly signal?: AbortSignal } = {},
): Promise<Float32Array[]> {
  const { layers, heads, headSize } = model.arch;
  const sums = layers.map(() => new Float64Array(heads * headSize));
  const session = await model.open({
    steer,
    probes: [
      {
        ...{ axis: 'probe', name: 'head-means', spec: 'head-means', needs: {} },
        open: (host) => new Outputs(host, (layer, output) => add(sums[layer], output)),
      },
    ],
  });
  try {
    await session.prefill({ ids }, { ...(signal && { signal }) });
    return sums.map((sum) => Float32Array.from(sum, (x) => x / ids.length));
  } finally {
    session.close();
  }
}

/** Tokens of a book that means are taken over. */
const bookLength = 2048;

/** The document of a model's means over a piece of a book. */
export async function bookMeans(model: Model, signal?: AbortSignal): Promise<HeadMeansFile> {
  const one = perplexity(model, { length: Math.min(bookLength, model.contextLength), text: 'moby-dick' }, 0);
  const ids = [...one.context, ...one.answer];
  const means = await measureMeans(model, ids, signal ? { signal } : {});
  return {
    model: { name: model.name, fingerprint: model.fingerprint },
    made: { text: one.id, tokens: ids.length },
    means: means.map((row) => Array.from(row, (value) => Number(value.toPrecision(5)))),
  };
}

function add(sum: Float64Array | undefined, row: Float32Array): void {
  if (!sum) return;
  for (const [i, value] of row.entries()) sum[i] = (sum[i] ?? 0) + value;
}

/** Shows what the heads of every row put out. */
class Outputs implements Probing {
  readonly #host: Host;
  readonly #onOutput: (layer: number, output: Float32Array) => void;
  readonly #rooms = new Map<KvCache, { readonly out: number; readonly order: number }>();

  constructor(host: Host, onOutput: (layer: number, output: Float32Array) => void) {
    this.#host = host;
    this.#onOutput = onOutput;
  }

  attended(encoder: Encoder, { cache, layer, n, attended }: LayerView): void {
    const { device, arch } = this.#host;
    const columns = arch.heads * arch.headSize;
    if (layer === 0) {
      this.#release(cache);
      const order = device.allocate(4 * n);
      device.ints(order, n).set(Int32Array.from({ length: n }, (_, row) => row));
      this.#rooms.set(cache, { order, out: device.allocate(4 * arch.layers.length * n * columns) });
    }
    const room = this.#rooms.get(cache);
    if (!room) throw new RangeError('outputs begin at layer 0');
    const out = room.out + 4 * layer * n * columns;
    encoder.record(copy({ from: attended, stride: columns, rows: room.order, n, columns, out }));
  }

  ran({ cache, n }: Ran): void {
    const room = this.#rooms.get(cache);
    if (!room) return;
    const { device, arch } = this.#host;
    const columns = arch.heads * arch.headSize;
    for (const layer of arch.layers.keys()) {
      for (let row = 0; row < n; row++) {
        this.#onOutput(layer, device.floats(room.out + 4 * (layer * n + row) * columns, columns));
      }
    }
    this.#release(cache);
  }

  result(): undefined {}

  close(): void {
    for (const cache of this.#rooms.keys()) this.#release(cache);
  }

  #release(cache: KvCache): void {
    const room = this.#rooms.get(cache);
    if (!room) return;
    this.#host.device.free(room.order);
    this.#host.device.free(room.out);
    this.#rooms.delete(cache);
  }
}
