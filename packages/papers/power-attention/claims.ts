import type { Claim } from '@loci/evaluate';
import type { OpenOptions } from 'loci';
import { attentionTimes } from '../attending/attention-time.ts';
import { attendDirect, attendMasked, randomInput } from '../attending/direct.ts';
import { dependencies } from '../attending/reach.ts';
import { bookText, largestGap, lastLogits, stepwise } from '../keeping/logits.ts';
import { onDevice } from '../methods/on-device.ts';
import { parseMethod } from '../registry.ts';
import { trainedClaims } from './claims-trained.ts';
import { patterns, reach } from './patterns.ts';

/** Blocks that reach the last one of 128 after 1, 2, … layers, as published, and of other numbers of blocks. */
const published = {
  power: [10, 35, 75, 110, 126, 128],
  window: [10, 18, 26, 34, 42, 50],
  stride: [10, 30, 50, 70, 90, 110, 126, 128],
  dilated: [10, 19, 28, 37, 46, 55, 64],
  longnet: [8, 20, 41, 58, 75, 80],
} as const;
const publishedPower = {
  64: [9, 27, 49, 62, 64],
  256: [11, 44, 109, 184, 235, 254, 256],
  512: [12, 54, 152, 292, 418, 488, 510, 512],
} as const;

const exact = { precision: 'float32' } as const;
export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed: 'Blocks that reach the last one layer by layer are those of the published table, for all five patterns',
    async run() {
      const sizes = (name: keyof typeof published, blocks: number) =>
        reach(patterns[name](), blocks).map(({ size }) => size);
      const measured = {
        ...Object.fromEntries(
          (['power', 'window', 'stride', 'dilated', 'longnet'] as const).map((name) => [name, sizes(name, 128)]),
        ),
        ...Object.fromEntries([64, 256, 512].map((blocks) => [`power, ${blocks} blocks`, sizes('power', blocks)])),
      };
      const windowLayers = reach(patterns.window(), 128).length;
      const isSame = (a: readonly number[], b: readonly number[]) => b.every((size, i) => a[i] === size);
      return {
        measured: { ...measured, windowLayersToAll: windowLayers },
        holds:
          (Object.keys(published) as (keyof typeof published)[]).every((name) =>
            isSame(sizes(name, 128), published[name]),
          ) &&
          ([64, 256, 512] as const).every((blocks) => isSame(sizes('power', blocks), publishedPower[blocks])) &&
          windowLayers === 16,
      };
    },
  },
  {
    id: '2',
    claimed:
      'After L = 1 … 5 layers the last token depends on the blocks that the table allows and on no bit of others (64 blocks)',
    async run({ model, progress, scale }) {
      const loaded = await model();
      const layers = [1, 2, 3, 4, 5];
      const names = ['power', 'window', 'dilated'] as const;
      // A layer fewer costs nothing, but a block is a forward pass.
      const block = scale === 'quick' ? 2 : 8;
      const measured: Record<string, { wrong: number; reached: number[] }> = {};
      for (const [k, name] of names.entries()) {
        const window = { power: 5, window: 9, dilated: 10 }[name];
        const attend = parseMethod.attend(`power-attention:block=${block},links=${name},window=${window}`);
        const found = await dependencies(loaded, attend, {
          ...{ block, blocks: 64, layers },
          progress: (share) => progress(`changing blocks under ${name}`, (k + share) / names.length),
        });
        const steps = reach(patterns[name](window), 64, 5);
        const expected = layers.map((layer) => steps[Math.min(layer, steps.length) - 1] ?? new Set<number>());
        measured[name] = {
          wrong: found.reduce((sum, set, i) => sum + set.symmetricDifference(expected[i] ?? new Set()).size, 0),
          reached: found.map(({ size }) => size),
        };
      }
      return {
        measured,
        holds: Object.values(measured).every(({ wrong }) => wrong === 0),
        note: 'SmolLM2 untrained for the masks; a token of each block is replaced in place of a gradient, and the residual stream compared bit by bit',
      };
    },
  },
  {
    id: '3',
    claimed:
      'A window of all blocks is dense to 1e-4; blocks of one token give the pure graph; the block kernel is masked attention to 1e-5 at any length; decoding is prefill',
    async run({ model }) {
      const loaded = await model();
      const text = bookText(loaded, 300);
      const dense = await lastLogits(loaded, exact, text, 250);
      const all = await lastLogits(loaded, attending('block=32,window=10'), text, 250);
      const gaps: Record<string, number> = {};
      for (const n of [31, 32, 101, 512]) {
        const isLinked = patterns.power(2);
        const input = randomInput(`power ${n}`, { n, m: n, h: 9, g: 3, d: 64 });
        const reads = (i: number, j: number) =>
          isLinked(Math.floor(i / 32), Math.floor(j / 32)) && j < (Math.floor(i / 32) + 1) * 32;
        const [kernel, truth] = [
          await onDevice(loaded, (device) => attendDirect(device, input, reads, 32)),
          attendMasked(input, reads),
        ];
        gaps[n] = largestGap(kernel, truth);
      }
      const single = await dependencies(loaded, parseMethod.attend('power-attention:block=1,window=1,sinks=0'), {
        ...{ block: 1, blocks: 40, layers: [1] },
      });
      const graph = new Set([39, ...[1, 2, 4, 8, 16, 32].map((distance) => 39 - distance)]);
      const [prefilled, decoded] = [
        await lastLogits(loaded, attending('block=32,window=2'), text, 299),
        (await stepwise(loaded, attending('block=32,window=2'), text, 250)).logits,
      ];
      const measured = {
        denseGap: largestGap(all, dense),
        kernelGaps: gaps,
        graphWrong: (single[0] ?? new Set()).symmetricDifference(graph).size,
        decodeGap: largestGap(prefilled, decoded),
      };
      return {
        measured,
        holds:
          measured.denseGap <= 1e-4 &&
          Object.values(gaps).every((gap) => gap <= 1e-5) &&
          measured.graphWrong === 0 &&
          measured.decodeGap <= 1e-4,
      };
    },
  },
  ...trainedClaims,
  {
    id: '6',
    claimed:
      'Blocks of 32: a doubling of the length adds one block per query block; attention at 8,000 tokens takes ≤ 0.5 of dense',
    async run({ signal, progress }) {
      const visited = [512, 1024, 2048, 4096, 8192].map((n) => {
        const last = n / 32 - 1;
        return Array.from({ length: last + 1 }, (_, j) => j).filter((j) => patterns.power()(last, j)).length;
      });
      progress('timing attention over 8,000 tokens');
      const [dense, power] = await attentionTimes(
        [parseMethod.attend('dense'), parseMethod.attend('power-attention:block=32')],
        8000,
        { signal },
      );
      const ratio = ((power?.attendMs ?? Number.NaN) + (power?.choosingMs ?? 0)) / (dense?.attendMs ?? Number.NaN);
      return {
        measured: { visited, denseMs: dense?.attendMs ?? Number.NaN, powerMs: power?.attendMs ?? Number.NaN, ratio },
        holds: visited.every((count, i) => i === 0 || count === (visited[i - 1] ?? 0) + 1) && ratio <= 0.5,
        note: 'blocks that the last query block reads; milliseconds of all layers for the last 512 of 8,000 tokens',
      };
    },
  },
];

function attending(options: string): OpenOptions {
  return { ...exact, attend: parseMethod.attend(`power-attention:${options}`) };
}
