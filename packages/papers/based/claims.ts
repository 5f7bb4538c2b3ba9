import { type Claim, Random } from '@loci/evaluate';
import { pageBytes } from '@loci/kernels';
import * as f from '@loci/lab/arrays';
import { evaluate } from '@loci/lab/arrays';
import { compareForms, type FormGap } from '../mixing/compare.ts';
import { type Depths, decodedAt, decodedLong } from '../mixing/decoding.ts';
import { trainedOnText } from '../mixing/text-runs.ts';
import { type Trained, trained } from '../zoology/setting.ts';
import { chunked, parallel, recurrent, taylorMap } from './forms.ts';
import { compareWindows } from './windows.ts';

/** Linear attention and a window, each behind a convolution. */
const bothParts = ['base-conv', 'taylor:heads=4', 'base-conv', 'attention:heads=4,window=64'];
/** Bytes of a page of each of the window layer's heads. */
const windowPage = 4 * pageBytes('f16', 32);

function toAttention(mixer: string): string {
  return mixer.startsWith('base-conv') ? mixer : 'attention:heads=4';
}

export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed:
      'φ(q)·φ(k) is 1 + s + s²/2 to 1e-6 for feature widths 1, 8 and 16; parallel, chunked (1, 7, 64, ≥ n) and recurrent outputs are equal to 1e-4 in float32, and so is decoding behind a chunked prompt',
    async run() {
      const map = [1, 8, 16].map((width) => ({ width, gap: mapGap(width) }));
      const gaps: FormGap[] = [];
      for (const n of [1, 64, 65, 200]) {
        const forms = {
          parallel,
          ...Object.fromEntries(
            [1, 7, 64, 256].map((size) => [
              `chunks of ${size}`,
              (...x: Parameters<typeof parallel>) => chunked(...x, size),
            ]),
          ),
          recurrent,
        };
        gaps.push(...(await compareForms(forms, { batch: 2, heads: 3, n, d: 8, e: 20 }, n === 65)));
      }
      return {
        measured: { map, gaps },
        holds:
          map.every(({ gap }) => gap <= 1e-6) &&
          gaps.every(({ value, gradient }) => value <= 1e-4 && (gradient ?? 0) <= 1e-4),
        note: 'The compressed map, which has the inner product of the full one. A chunk of 1 is decoding: its prompt and what follows are the same computation. Gradients beside the parallel form at 65 tokens.',
      };
    },
  },
  {
    id: '2',
    claimed:
      'windows: w ≥ n equals dense causal attention (1e-5), w = 1 returns the value itself, a change at j cannot alter outputs beyond j + w − 1',
    async run() {
      const measured = await compareWindows();
      return {
        measured,
        holds: measured.wideGap <= 1e-5 && measured.oneGap <= 1e-5 && measured.beyond === 0 && measured.within > 0,
      };
    },
  },
  {
    id: '3',
    claimed:
      'setting S, 3 seeds: Taylor features of width 16 ≥ 0.95 and within 0.04 of softmax; a window of 8 ≤ 0.10; a long convolution ≤ 0.30',
    async run(workbench) {
      const full = workbench.scale === 'full';
      const steps = full ? 2500 : 800;
      const runs: (Trained & { readonly seed: number })[] = [];
      // Taylor features are not done learning when the others are.
      for (const seed of full ? [0, 1, 2] : [0])
        for (const mixer of ['attention', 'taylor', 'attention:window=8', 'base-conv:taps=0'])
          runs.push({ seed, ...(await trained(workbench, { mixer, steps: mixer === 'taylor' ? 2500 : steps, seed })) });
      const of = (mixer: string) => runs.filter((one) => one.mixer === mixer).map(({ accuracy }) => accuracy);
      const softmax = of('attention');
      return {
        measured: { steps, runs },
        holds:
          of('taylor').every((accuracy, i) => accuracy >= 0.95 && (softmax[i] ?? 1) - accuracy <= 0.04) &&
          of('attention:window=8').every((accuracy) => accuracy <= 0.1) &&
          of('base-conv:taps=0').every((accuracy) => accuracy <= 0.3),
        ...(!full && {
          note: 'Quick: one seed, and 800 of the 2500 steps for all but the Taylor features, which have 0.69 by then.',
        }),
      };
    },
  },
  {
    id: '4',
    claimed:
      '128 tokens, 16 pairs: accuracy does not fall with state bytes over feature widths 2, 4, 8 and 16 (tolerance 0.03), and width 8 beats width 2 by ≥ 0.30',
    async run(workbench) {
      const full = workbench.scale === 'full';
      // Half as many do not suffice at this size, whatever the mixer.
      const steps = 2000;
      const runs: Trained[] = [];
      for (const mixer of [
        'taylor:features=2',
        'taylor:features=4',
        'taylor:features=8',
        'taylor:features=16',
        ...(full ? ['attention'] : []),
      ])
        runs.push(await trained(workbench, { mixer, steps, task: { length: 128, pairs: 16 } }));
      const dial = runs.slice(0, 4).sort((a, b) => a.stateBytes - b.stateBytes);
      const [two, , eight] = dial;
      return {
        measured: { steps, runs },
        holds:
          dial.every(({ accuracy }, i) => i === 0 || accuracy >= (dial[i - 1]?.accuracy ?? 1) - 0.03) &&
          (eight?.accuracy ?? 0) - (two?.accuracy ?? 1) >= 0.3,
        note: `One seed. The plot is made by loci sweep (docs/laboratory.md).`,
      };
    },
  },
  {
    id: '5',
    claimed:
      'a model of about 1M parameters on real text, equal tokens: linear attention with a window (64) beats either alone in validation loss, the worse of the two by ≥ 1 %; the gap to a transformer is reported',
    async run(workbench) {
      const full = workbench.scale === 'full';
      const steps = full ? 3000 : 60;
      const run = (linear: string, window: string) =>
        trainedOnText(workbench, { layers: ['base-conv', linear, 'base-conv', window], steps });
      const [taylor, window] = ['taylor:heads=4', 'attention:heads=4,window=64'];
      const both = await run(taylor, window);
      const alone = { linear: await run(taylor, taylor), window: await run(window, window) };
      const transformer = await run('attention:heads=4', 'attention:heads=4');
      const [better, worse] = [alone.linear.loss, alone.window.loss].sort((a, b) => a - b);
      return {
        measured: { steps, both, ...alone, transformer, gapToTransformer: both.loss / transformer.loss - 1 },
        holds: both.loss < (better ?? 0) && both.loss <= 0.99 * (worse ?? 0),
        note: `Bytes of the bundled books, 256 at a time, a convolution before each of the two layers; windows without rotary positions. ${full ? '' : 'Quick: 60 steps say little; full has 3000. '}The split into AR hits is not made here.`,
      };
    },
  },
  {
    id: '6a',
    claimed:
      "decoding at 8K tokens takes ≤ 1.2 times as long as at 512, with a state of constant size; a transformer's attention takes ≥ 3 times as long",
    async run(workbench) {
      const steps = workbench.scale === 'full' ? 3000 : 10;
      const prompts = [512, 2048, 8192];
      const based = await decodedAt(workbench, bothParts, steps, prompts);
      const transformer = await decodedAt(workbench, bothParts.map(toAttention), 10, prompts);
      const growth = ({ at }: Depths, of: 'ms' | 'attendMs', least = 0) =>
        Math.max(least, at.at(-1)?.[of] ?? 0) / Math.max(least, at[0]?.[of] ?? 0);
      const sizes = based.at.map(({ stateBytes }) => stateBytes);
      const grown = { based: growth(based, 'ms'), transformer: growth(transformer, 'ms') };
      // Less than that is not told from waking the threads.
      const attention = growth(transformer, 'attendMs', 0.02);
      return {
        measured: { steps, based, transformer, growth: grown, transformerAttention: attention },
        holds: grown.based <= 1.2 && attention >= 3 && Math.max(...sizes) - Math.min(...sizes) <= windowPage,
        note: `Models of width 128 trained on the bundled books, in the engine: medians of 200 tokens, one thread. The transformer has full attention in place of both parts. A page of 32 slots more or less is where the window happens to lie.${workbench.scale === 'full' ? '' : ' Quick: 10 steps of training.'}`,
      };
    },
  },
  {
    id: '6b',
    claimed:
      'a trained model decodes 100,000 tokens with flat memory and time: mean of the last 1,000 tokens ≤ 1.2 times that of tokens 1,000 to 2,000, resident memory at the end ≤ 1.1 times what it was at any tenth',
    async run(workbench) {
      const full = workbench.scale === 'full';
      const run = await decodedLong(workbench, bothParts, full ? 3000 : 10, full ? 100_000 : 10_000);
      const least = Math.min(...run.residentBytes);
      const residentGrowth = (run.residentBytes.at(-1) ?? Number.NaN) / least;
      const stateGap = Math.max(...run.stateBytes) - Math.min(...run.stateBytes);
      return {
        measured: { ...run, timeGrowth: run.late.mean / run.early.mean, residentGrowth, stateGap },
        holds: run.late.mean <= 1.2 * run.early.mean && residentGrowth <= 1.1 && stateGap <= windowPage,
        note: `States lie twice in memory, so that a step that is aborted changes nothing.${full ? '' : ' Quick: 10 steps of training, 10,000 tokens.'}`,
      };
    },
  },
];

function mapGap(width: number): number {
  const random = new Random(`taylor map ${width}`);
  const rows = 50;
  const some = () => Float64Array.from({ length: rows * width }, () => 4 * random.real() - 2);
  const numbers = { q: some(), k: some() };
  const [q, k] = [f.parameter('q', [rows, width]), f.parameter('k', [rows, width])];
  const products = f.sum(f.mul(taylorMap(q), taylorMap(k)), -1);
  const s = f.affine(f.sum(f.mul(q, k), -1), 1 / Math.sqrt(width));
  const should = f.affine(f.square(f.affine(s, 1, 1)), 0.5, 0.5);
  const [is, wanted] = evaluate([products, should], numbers);
  return (is ?? new Float64Array(1)).reduce(
    (most, x, i) => Math.max(most, Math.abs(x - (wanted?.[i] ?? Number.NaN)) / (wanted?.[i] ?? 0)),
    0,
  );
}
