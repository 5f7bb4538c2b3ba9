import { type Device, Encoder } from '@loci/device';
import { Random } from '@loci/evaluate/random';
import {
  type Attend,
  allSlots,
  append,
  attend,
  headBytes,
  headWords,
  listWords,
  mergeParts,
  pageBytes,
  pageSlots,
  partialFloats,
  partsOf,
} from '@loci/kernels';

/** Queries [n, h, d] over keys and values [m, g, d], float32. */
export interface AttentionInput {
  readonly n: number;
  readonly m: number;
  readonly h: number;
  readonly g: number;
  readonly d: number;
  readonly queries: Float32Array;
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** Which keys a query head reads: indices, not positions, and no causality but what this says. */
export type Reads = (query: number, key: number, head: number) => boolean;

export function randomInput(name: string, sizes: Pick<AttentionInput, 'n' | 'm' | 'h' | 'g' | 'd'>): AttentionInput {
  const random = new Random(name);
  const floats = (count: number) => Float32Array.from({ length: count }, () => 4 * random.real() - 2);
  const { n, m, h, g, d } = sizes;
  return { ...sizes, queries: floats(n * h * d), keys: floats(m * g * d), values: floats(m * g * d) };
}

/**
 * The block-list kernel over float32 pages, with lists for blocks of so many queries: a page is named when a query of the block reads
 * a slot of it, and then the slots that the first of them reads.
 * @param rows Queries of a block, which all read the same.
 * @returns [n, h, d]
 */
export async function attendDirect(
  device: Device,
  { n, m, h, g, d, queries, keys, values }: AttentionInput,
  reads: Reads,
  rows = 1,
): Promise<Float32Array> {
  const held: number[] = [];
  const room = (words: number) => {
    const address = device.allocate(4 * words);
    held.push(address);
    return address;
  };
  const place = (data: Float32Array) => {
    const address = room(data.length);
    device.floats(address, data.length).set(data);
    return address;
  };
  try {
    const pages = Math.ceil(m / pageSlots);
    const heads = room((g * headBytes) / 4);
    const table = room(g * pages);
    const words = device.ints(heads, (g * headBytes) / 4);
    for (let head = 0; head < g; head++) {
      for (let page = 0; page < pages; page++) {
        device.ints(table + 4 * (head * pages + page), 1)[0] = room(pageBytes('f32', d) / 4);
      }
      words.set(headWords({ table: table + 4 * head * pages, used: 0 }), (head * headBytes) / 4);
    }
    const keyPositions = room(m);
    device.ints(keyPositions, m).set(Int32Array.from({ length: m }, (_, i) => i));
    const filling = new Encoder();
    filling.record(
      append({ keys: place(keys), values: place(values), n: m, g, d, heads, positions: keyPositions, format: 'f32' }),
    );
    await device.run(filling);
    // Used slots are those before the queries' own, of which there are as many as queries.
    for (let head = 0; head < g; head++) words[(head * headBytes) / 4 + 1] = m - n;
    const positions = room(n);
    device.ints(positions, n).fill(m);
    const blocks = Math.ceil(n / rows);
    const length = listWords(pages);
    const lists = room(blocks * h * length);
    for (let list = 0; list < blocks * h; list++) {
      const named = device.ints(lists + 4 * list * length, length);
      let count = 0;
      for (let page = 0; page < pages; page++) {
        let set = 0;
        for (let slot = 0; slot < pageSlots && page * pageSlots + slot < m; slot++) {
          if (reads(Math.floor(list / h) * rows, page * pageSlots + slot, list % h)) set |= 1 << slot;
        }
        if (set === 0) continue;
        named[1 + 2 * count] = page;
        named[2 + 2 * count] = set === fullSet(m - page * pageSlots) ? allSlots : set;
        count++;
      }
      named[0] = count;
    }
    const out = room(n * h * d);
    const call: Attend = {
      ...{ queries: place(queries), out, n, h, g, d, heads, positions, slots: m, scale: 1 / Math.sqrt(d), window: 0 },
      ...{ format: 'f32', mayRound: false, lists: { address: lists, rows, heads: h, capacity: pages }, partials: 0 },
    };
    const partials = room(Math.max(1, partialFloats(n, h, d, partsOf(call))));
    const merge = mergeParts({ ...call, partials });
    const encoder = new Encoder();
    encoder.record(attend({ ...call, partials }), ...(merge ? [merge] : []));
    await device.run(encoder);
    return device.floats(out, n * h * d).slice();
  } finally {
    for (const address of held) device.free(address);
  }
}

function fullSet(slots: number): number {
  return slots >= pageSlots ? allSlots : (1 << slots) - 1;
}

/** The definition: softmax over the keys that are read, in float64; zeros where there are none. [n, h, d] */
export function attendMasked({ n, m, h, g, d, queries, keys, values }: AttentionInput, reads: Reads): Float64Array {
  const out = new Float64Array(n * h * d);
  for (let i = 0; i < n; i++) {
    for (let head = 0; head < h; head++) {
      const own = Math.floor(head / (h / g));
      const scores: { readonly key: number; readonly score: number }[] = [];
      for (let key = 0; key < m; key++) {
        if (!reads(i, key, head)) continue;
        let score = 0;
        for (let c = 0; c < d; c++)
          score += (queries[(i * h + head) * d + c] ?? 0) * (keys[(key * g + own) * d + c] ?? 0);
        scores.push({ key, score: score / Math.sqrt(d) });
      }
      const top = Math.max(...scores.map(({ score }) => score));
      const sum = scores.reduce((total, { score }) => total + Math.exp(score - top), 0);
      for (const { key, score } of scores) {
        const weight = Math.exp(score - top) / sum;
        for (let c = 0; c < d; c++) {
          const at = (i * h + head) * d + c;
          out[at] = (out[at] ?? 0) + weight * (values[(key * g + own) * d + c] ?? 0);
        }
      }
    }
  }
  return out;
}
