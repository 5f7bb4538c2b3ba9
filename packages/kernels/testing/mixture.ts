import {
  activate,
  append,
  attend,
  attendScratch,
  type Bytes8,
  type Command,
  copy,
  descend,
  embed,
  headWords,
  type Layout,
  listCapacity,
  listWords,
  loss,
  type Matrix,
  matmul,
  matmulFloat,
  matmulScratch,
  matrixBytes,
  mergeParts,
  norm,
  type PageFormat,
  pack,
  packProgressive,
  packVector,
  pageBytes,
  pageSlots,
  partialFloats,
  progressive,
  progressiveFloat,
  progressiveScratch,
  quantize,
  quantizeRows,
  rope,
  similar,
  similarScratch,
  splitsOf,
  vectorBytes,
} from '../index.ts';
import type { Room } from './machine.ts';
import { floats, ints, random } from './numbers.ts';
import { packedWeights } from './weights.ts';

/** A program that calls every kernel, and where its results lie. */
export interface Mixture {
  readonly commands: readonly Command[];
  /** Everything that is written. */
  readonly outputs: readonly Output[];
  /** [n, 2] of the last kernel. */
  readonly losses: Output;
}

interface Output {
  readonly address: number;
  readonly bytes: number;
}

const [h, g, d, hidden, vocabulary] = [6, 2, 32, 352, 203] as const;
const width = h * d;

/** Bytes of scratch memory that a mixture needs per thread. */
export const mixtureScratch = Math.max(
  matmulScratch,
  attendScratch(h, g, d),
  progressiveScratch(32),
  similarScratch(h, d),
);

/**
 * One block of a small transformer over n tokens that follow `past` slots: from 512 slots on, and for up to 8 tokens,
 * the keys are split.
 */
export function mixture(room: Room, seed: number, n: number, past: number, format: PageFormat): Mixture {
  const next = random(seed);
  const outputs: Output[] = [];
  const place = (count: number) => {
    const region = { address: room.output(4 * count), bytes: 4 * count };
    outputs.push(region);
    return region.address;
  };
  const bytes = (columns: number): Bytes8 => ({ q: place((n * columns) / 4), meta: place((n * columns) / 8) });
  const matrix = (layout: Layout, rows: number, columns: number): Matrix => {
    return { layout, rows, columns, address: room.input(packedWeights(layout, rows, columns, next)) };
  };
  const vector = (count: number) => room.input(floats(count, next));
  const product = (one: Matrix, out: number) => ({ matrix: one, n, out, stride: Math.ceil(one.rows / 8) * 8 });
  const rows = (x: number) => ({ x, stride: width, rows: n, columns: width });

  const slots = past + n;
  const ids = room.input(ints(n, next, 0, vocabulary));
  const positions = room.input(Int32Array.from({ length: n }, (_, t) => past + t));
  const [cos, sin] = [vector(n * (d / 2)), vector(n * (d / 2))];
  const pages = Array.from({ length: g }, () => placePages(room, format, slots, next));
  outputs.push(...pages.flat());
  const entries = pages.flatMap((of) =>
    headWords({ table: room.input(Int32Array.from(of, ({ address }) => address)), used: past }),
  );
  const heads = room.input(Int32Array.from(entries));
  const [x, q, k, v, mixed] = [
    place(n * width),
    place(n * width),
    place(n * g * d),
    place(n * g * d),
    place(n * width),
  ];
  const [gate, up, last, logits, losses] = [
    place(n * hidden),
    place(n * hidden),
    place(n * width),
    place(n * 208),
    place(2 * n),
  ];
  const [normed, mixedBytes, inner] = [bytes(width), bytes(width), bytes(hidden)];
  const innerRows = { q: place((n * hidden) / 4), scales: place(n), sums: place((n * hidden) / 32) };
  const progressiveProduct = {
    matrix: {
      layout: 'progressive',
      rows: width,
      columns: hidden,
      group: 32,
      address: room.input(progressiveWeights(next)),
    },
    ...{ n, stride: width },
  } as const;
  const attention = {
    ...{ queries: q, out: mixed, n, h, g, d, heads, slots, positions, scale: 0.2, window: 0, format, mayRound: true },
    partials: place(partialFloats(n, h, d, splitsOf(n, slots))),
  };
  const search = {
    ...{ chunks: 3, beam: 2, block: 8, keyStride: 2, queryStride: 2, sinks: 4, window: 10 },
    representative: 'centre',
  } as const;
  const capacity = listCapacity(search, { rows: 4, slots, ahead: 0 });
  const lists = { address: place(Math.ceil(n / 4) * g * listWords(capacity)), rows: 4, heads: g, capacity };
  const similarTo = {
    groups: room.input(Int32Array.of(room.input(vectors(70, next)))),
    perGroup: 96,
    count: 35,
    each: 2,
  };
  const turn = { n, d, rotated: d, cos, sin };
  const merge = mergeParts(attention);
  const commands: Command[] = [
    embed({ table: matrix('q8x32', vocabulary, width), ids, n, out: x, factor: 0.5 }),
    norm({ ...rows(x), weight: vector(width), epsilon: 1e-5, bytes: normed }),
    matmul(normed, { ...product(matrix('q4x32', width, width), q), bias: vector(width), join: false }),
    matmul(normed, { ...product(matrix('q8x16', g * d, width), k), join: false }),
    matmul(normed, { ...product(matrix('q4x16m', g * d, width), v) }),
    norm({ x: q, stride: d, rows: n * h, columns: d, epsilon: 1e-5, out: q, join: false }),
    norm({ x: k, stride: d, rows: n * g, columns: d, epsilon: 1e-5, out: k }),
    rope({ ...turn, x: q, heads: h, pairs: 'halves', join: false }),
    rope({ ...turn, x: k, heads: g, pairs: 'halves' }),
    append({ keys: k, values: v, n, g, d, heads, positions, format }),
    descend({ ...search, queries: q, n, h, g, d, heads, format, lists, ahead: 0 }),
    similar({ queries: q, n, h, d, ...similarTo, out: place(35 * h), join: false }),
    attend(attention),
    ...(merge ? [merge] : []),
    quantize(rows(mixed), mixedBytes),
    matmul(mixedBytes, { ...product(matrix('q8x32m', width, width), x), accumulate: true }),
    norm({ ...rows(x), epsilon: 1e-5, bytes: normed }),
    matmul(normed, { ...product(matrix('q4x32m', hidden, width), gate), join: false }),
    matmul(normed, product(matrix('q4x32m', hidden, width), up)),
    activate({ gate, up, stride: hidden, n, columns: hidden, activation: 'silu', out: gate, bytes: inner }),
    matmulFloat(gate, { ...product(matrix('q4x32', width, hidden), x), accumulate: true }),
    quantizeRows({ x: gate, stride: hidden, rows: n, columns: hidden, group: 32 }, innerRows),
    progressive(innerRows, { ...progressiveProduct, out: x, accumulate: true }),
    progressiveFloat(gate, { ...progressiveProduct, out: x, accumulate: true }),
    copy({ from: x, stride: width, rows: room.input(ints(n, next, 0, n)), n, columns: width, out: last }),
    matmulFloat(last, product(matrix('f32', vocabulary, width), logits)),
    pack({
      ...{ type: 'Q8_0', source: room.input(fileBytes(11 * 2 * 34, next)), rows: 11, columns: 64 },
      ...{ out: place(matrixBytes('q8x32', 11, 64) / 4), fault: room.output(4, Int32Array.of(0)) },
    }),
    loss({ logits, stride: 208, n, v: vocabulary, targets: ids, out: losses }),
  ];
  return { commands, outputs, losses: { address: losses, bytes: 8 * n } };
}

function vectors(count: number, next: () => number): Uint8Array {
  const stride = vectorBytes(h, d);
  const packed = new Uint8Array(count * stride);
  for (let i = 0; i < count; i++) packVector(floats(width, next), h, d, packed.subarray(i * stride, (i + 1) * stride));
  return packed;
}

/** [width, hidden] in groups of 32. */
function progressiveWeights(next: () => number): Uint8Array {
  const some = (count: number, low: number, end: number) => Uint8Array.from(ints(count, next, low, end));
  const steps = (width * hidden) / 32;
  return packProgressive({
    ...{ rows: width, columns: hidden, group: 32, q: some(width * hidden, 0, 16) },
    ...{ scale: some(steps, 1, 17), zero: some(steps, 0, 16), rowScale: floats(width, next).map((x) => x / 1000) },
  });
}

function fileBytes(count: number, next: () => number): Uint8Array {
  return Uint8Array.from({ length: count }, () => next() * 256);
}

/** Pages of `slots` slots at positions 0, 1, … with bytes that are finite numbers of a sound size in every format. */
function placePages(room: Room, format: PageFormat, slots: number, next: () => number): Output[] {
  return Array.from({ length: Math.ceil(slots / pageSlots) }, (_, page) => {
    const content = new Uint8Array(pageBytes(format, d));
    // The top bytes of floats and halves: 0x38 and 0x3c.
    for (let i = 0; i < content.length; i++) content[i] = i % 2 === 0 ? next() * 256 : i % 4 === 1 ? 0x38 : 0x3c;
    // Of keys in bytes 7 bits are used: processors differ in what they make of an eighth.
    const positions = 4 * pageSlots;
    if (format === 'q8')
      for (let i = positions; i < positions + d * pageSlots; i++) content[i] = (content[i] ?? 0) & 0x7f;
    new Int32Array(content.buffer).set(Array.from({ length: pageSlots }, (_, slot) => page * pageSlots + slot));
    return { address: room.output(content.length, content), bytes: content.length };
  });
}
