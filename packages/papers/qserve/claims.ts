import type { Device } from '@loci/device';
import type { Claim, Finding, Workbench } from '@loci/evaluate';
import { type ProgressiveRows, pageBytes } from '@loci/kernels';
import { loadModel, type Model, type WeightCodec } from 'loci';
import { onDevice } from '../methods/on-device.ts';
import { qserve } from './codec.ts';
import { outliers, perplexities, withWeights } from './losses.ts';
import { deviceProducts } from './products.ts';
import { largestValue } from './range.ts';
import { alternating, attentionTimes, productTimes } from './timings.ts';
import {
  type Activations,
  integerProducts,
  integerProductsByWords,
  quantizeActivations,
  quantizeProgressive,
} from './weights.ts';

export const claims: readonly Claim[] = [
  {
    id: '1a',
    claimed:
      '1000 random shapes, groups of 32, 64 and 128, extremes among them: the sums by words (progressive) and the scalar sums are the same integers',
    run: sameIntegers,
  },
  {
    id: '1b',
    claimed: 'the relaxed and the plain WebAssembly kernels give the same integers as the scalar sums',
    run: sameInKernels,
  },
  {
    id: '2',
    claimed: 'all ranges within ±119 give values within ±121; within ±127 they reach 132',
    async run() {
      const [protective, wider, full] = [119, 120, 127].map(largestValue);
      return {
        measured: { 119: protective ?? 0, 120: wider ?? 0, 127: full ?? 0 },
        holds: protective === 121 && full === 132,
      };
    },
  },
  {
    id: '3a',
    claimed: 'W4A8KV4 in groups of 64: perplexity at most 1.25 × float32',
    run: (bench) => perplexities(bench, 'all'),
  },
  {
    id: '3b',
    claimed: 'W4 per row costs at least 1.5 × the log-loss of W4 in groups of 64',
    run: (bench) => perplexities(bench, 'row'),
  },
  { id: '3c', claimed: 'A8 alone costs at most 3 % of perplexity', run: (bench) => perplexities(bench, 'a8') },
  { id: '3d', claimed: 'KV4 alone costs at most 6 % of perplexity', run: (bench) => perplexities(bench, 'kv4') },
  { id: '3e', claimed: 'KV8 alone costs at most 0.5 % of perplexity', run: (bench) => perplexities(bench, 'kv8') },
  {
    id: '4a',
    claimed:
      'a key pair 16 times as large in every head leaves float32 logits as they are to 10⁻³, and costs KV4 at least 3 times the log-loss',
    run: (bench) => outliers(bench, 'grows'),
  },
  {
    id: '4b',
    claimed:
      'SmoothAttention with α = 0.5 takes away at least 40 % of that, and leaves float32 logits as they are to 10⁻³',
    run: (bench) => outliers(bench, 'smooths'),
  },
  {
    id: '4c',
    claimed: 'with α = 1 it is the same with the outliers as without, to 10⁻³ nats',
    run: (bench) => outliers(bench, 'whole'),
  },
  {
    id: '4d',
    claimed: 'factors that are not the same for both channels of a pair change float32 logits by more than 10⁻²',
    run: (bench) => outliers(bench, 'unpaired'),
  },
  {
    id: '5',
    claimed:
      'products of W4A8 ≥ 2.5 × as fast as float32, relaxed ≥ 1.3 × plain; KV4 attention at 4096 tokens ≥ 1.3 × as fast as float32',
    run: speeds,
  },
  {
    id: '6a',
    claimed: 'the weights of the layers take at most 4.4 bits each in memory',
    run: bitsOfWeights,
  },
  {
    id: '6b',
    claimed: 'a KV4 page of 64 channels takes at most 0.15 of one in float32',
    async run() {
      const share = pageBytes('kv4', 64) / pageBytes('f32', 64);
      return { measured: share, holds: share <= 0.15 };
    },
  },
];

/** Random and extreme matrices of whole tiles, with activations. */
function* problems(count: number): Generator<readonly [ProgressiveRows, Activations]> {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  const noise = (length: number) => Float32Array.from({ length }, () => (2 * next() - 1) ** 3);
  for (let i = 0; i < count; i++) {
    const group = [32, 64, 128][below(3)] ?? 32;
    const [rows, n, columns] = [4 + 4 * below(2), 1 + below(4), group * (1 + below(8))];
    if (i % 4 === 0) yield extremes(rows, n, columns, group);
    else {
      const w = quantizeProgressive(noise(rows * columns), rows, columns, group);
      yield [w, quantizeActivations(noise(n * columns), n, columns)];
    }
  }
}

const cases = 1000;

async function sameIntegers({ signal }: Workbench): Promise<Finding> {
  let differences = 0;
  for (const [w, x] of problems(cases)) {
    signal.throwIfAborted();
    const words = integerProductsByWords(w, x);
    differences += integerProducts(w, x).filter((sum, at) => sum !== words[at]).length;
  }
  return { measured: { cases, differences }, holds: differences === 0 };
}

async function sameInKernels(bench: Workbench): Promise<Finding> {
  const count = (model: Model) =>
    onDevice(model, async (device) => {
      let differences = 0;
      for (const [w, x] of problems(cases)) {
        bench.signal.throwIfAborted();
        const sums = await deviceProducts(device, w, x);
        differences += integerProducts(w, x).filter((sum, at) => sum !== sums[at]).length;
      }
      return differences;
    });
  const model = await bench.model();
  const plain = await loadModel(undefined, { build: 'plain', signal: bench.signal });
  try {
    const measured = { cases, [model.build]: await count(model), plain: await count(plain) };
    const holds = model.build !== 'plain' && measured.plain === 0 && measured[model.build] === 0;
    return { measured, holds };
  } finally {
    await plain.close();
  }
}

/** The largest numbers of 4 bits and activations of ±127. */
function extremes(rows: number, n: number, columns: number, group: number): [ProgressiveRows, Activations] {
  const groups = (rows * columns) / group;
  return [
    {
      ...{ rows, columns, group, q: new Uint8Array(rows * columns).fill(15) },
      ...{ scale: new Uint8Array(groups).fill(8), zero: new Uint8Array(groups) },
      rowScale: new Float32Array(rows).fill(1),
    },
    {
      n,
      q: Int8Array.from({ length: n * columns }, (_, i) => (i % 3 === 0 ? 127 : -127)),
      scale: new Float32Array(n).fill(1),
    },
  ];
}

/** One thread each, so that what is compared is the kernels. */
async function speeds(bench: Workbench): Promise<Finding> {
  const measured = await bench.once('milliseconds', async () => {
    const relaxed = await loadModel(undefined, { threads: 1, signal: bench.signal });
    const plain = await loadModel(undefined, { threads: 1, build: 'plain', signal: bench.signal });
    try {
      return await onDevice(relaxed, (device) => onDevice(plain, (other) => measureSpeeds(bench, device, other)));
    } finally {
      await relaxed.close();
      await plain.close();
    }
  });
  const { float32, w4a8, w4a8Plain, attendFloat32, attendKv4 } = measured;
  const times = { ofFloat32: float32 / w4a8, ofPlain: w4a8Plain / w4a8, ofAttention: attendFloat32 / attendKv4 };
  return {
    measured: { ...measured, ...times },
    holds: times.ofFloat32 >= 2.5 && times.ofPlain >= 1.3 && times.ofAttention >= 1.3,
    note: 'Milliseconds, medians of runs that alternate, on one thread: products of a token, rounding it included, with 24 matrices of 1536 × 576 in groups of 64; attention of a token in 12 layers.',
  };
}

async function measureSpeeds(bench: Workbench, device: Device, plainDevice: Device) {
  const rounds = bench.scale === 'full' ? 41 : 15;
  bench.progress('products');
  const [products, plain] = [productTimes(device), productTimes(plainDevice)];
  const [float32 = Number.NaN, w4a8 = Number.NaN, w4a8Plain = Number.NaN] = await alternating(
    [products.float32, products.w4a8, plain.w4a8],
    rounds,
  );
  products.close();
  plain.close();
  bench.progress('attention over 4,096 tokens');
  const { runs, close } = await attentionTimes(device, 4096);
  const [attendFloat32 = Number.NaN, attendKv4 = Number.NaN] = await alternating([runs.f32, runs.kv4], rounds);
  close();
  return { float32, w4a8, w4a8Plain, attendFloat32, attendKv4 };
}

/** What weights in memory grow by when the layers' matrices are floats says how many bytes are not theirs. */
async function bitsOfWeights(bench: Workbench): Promise<Finding> {
  const { arch } = await bench.model();
  const { width, heads, kvHeads, headSize, hidden, layers } = arch;
  const numbers = layers.length * width * ((2 * heads + 2 * kvHeads) * headSize + 3 * hidden);
  const bits = await bench.once('bits of weights', async () => {
    bench.progress('loading');
    const floats: WeightCodec = { name: 'floats', layout: 'f32', encode: ({ values }) => values };
    const bytes = (weights: WeightCodec) => withWeights(bench, weights, async ({ weightBytes }) => weightBytes);
    const others = (await bytes(floats)) - 4 * numbers;
    return (8 * ((await bytes(qserve.with({ group: 64 }))) - others)) / numbers;
  });
  return { measured: { numbers, bits }, holds: bits <= 4.4 };
}
