import type { Claim } from '@loci/evaluate';
import { compareForms, type Form, type FormGap } from '../mixing/compare.ts';
import { type TextResult, trainedOnText } from '../mixing/text-runs.ts';
import { compareDecoding } from './decoding.ts';
import { chunked, parallel, recurrent } from './forms.ts';
import { timeForms } from './speed.ts';

const slopes = [0, 0.004, 0.5];

async function gapsOf(
  lengths: readonly number[],
  blocks: readonly number[],
  withGradients: boolean,
): Promise<readonly FormGap[]> {
  const gaps: FormGap[] = [];
  for (const n of lengths) {
    const forms: Record<string, Form> = { parallel: (q, k, v) => parallel(q, k, v, slopes) };
    for (const size of blocks) forms[`blocks of ${size}`] = (q, k, v) => chunked(q, k, v, slopes, size);
    if (!withGradients) forms['recurrent'] = (q, k, v) => recurrent(q, k, v, slopes);
    gaps.push(...(await compareForms(forms, { batch: 2, heads: 3, n, d: 16, e: 24 }, withGradients)));
  }
  return gaps;
}

export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed:
      'blocks of 1, 7, 16, 64 and ≥ n, and the recurrence, equal the left product to 1e-4 in float32, at 1, 53, 64, 65 and 300 tokens, slopes 0, 0.004 and 0.5; at large slopes the output is (q·k) v',
    async run() {
      const gaps = await gapsOf([1, 53, 64, 65, 300], [1, 7, 16, 64, 512], false);
      const [steep] = await compareForms(
        {
          own: (q, k, v) => chunked(q, k, v, [200, 200, 200], 16),
          parallel: (q, k, v) => parallel(q, k, v, [1e4, 1e4, 1e4]),
        },
        { batch: 2, heads: 3, n: 65, d: 16, e: 24 },
        false,
      );
      return {
        measured: { gaps, steep: steep?.value ?? null },
        holds: gaps.every(({ value }) => value <= 1e-4) && (steep?.value ?? 1) <= 1e-6,
        note: 'One head for each slope. In float64 the forms agree with a plain loop to the rounding of the decays, which are kept in float32 (a test).',
      };
    },
  },
  {
    id: '2',
    claimed:
      'derivatives of the block form equal those of the left product to 1e-4 in float32, ragged lengths, blocks of 7 and 64',
    async run() {
      const gaps = await gapsOf([53, 65, 300], [7, 64], true);
      return {
        measured: gaps,
        holds: gaps.every(({ gradient }) => (gradient ?? 1) <= 1e-4),
        note: 'Both by automatic differentiation: that of the block form is the two sweeps of the paper, forwards and backwards over blocks.',
      };
    },
  },
  {
    id: '3',
    claimed:
      'a model of 4 layers: 300 tokens in chunks of random sizes, then 50 one by one, give the logits of one parallel pass to 1e-4 (1 + |logit|)',
    async run() {
      const measured = await compareDecoding();
      return {
        measured,
        holds: measured.gap <= 1e-4,
        note: 'With the forms of the laboratory, beside which tests hold the engine (mixing/engine.test.ts).',
      };
    },
  },
  {
    id: '4',
    claimed:
      'd = e = 64: time per token at 8K tokens ≤ 1.25 times that at 1K for the block form, and ≥ 4 times for the left product; the state has the same bytes at every length',
    async run(workbench) {
      const lengths = workbench.scale === 'full' ? [1024, 2048, 4096, 8192] : [512, 1024, 2048, 4096];
      const rows = await timeForms(lengths, (what) => workbench.progress(what));
      const growth = (of: 'blockUs' | 'leftUs') => (rows.at(-1)?.[of] ?? Number.NaN) / (rows[0]?.[of] ?? Number.NaN);
      const crossover = rows.find(({ blockUs, leftUs }) => blockUs < leftUs)?.n ?? null;
      return {
        measured: {
          rows,
          blockGrowth: growth('blockUs'),
          leftGrowth: growth('leftUs'),
          crossover,
          stateBytes: 4 * 64 * 64,
        },
        holds: growth('blockUs') <= 1.25 && growth('leftUs') >= 4,
        note: `Microseconds per token, forward, one head, one thread, medians of 5, with the kernels that train. ${workbench.scale === 'full' ? '' : 'Quick: 512 to 4K tokens. '}The state is d · e floats whatever the length; in the engine it lies twice in memory.`,
      };
    },
  },
  {
    id: '5',
    claimed:
      'about 1M parameters on real text, same tokens, 3 seeds: validation loss ≤ 1.05 times that of a transformer; without decay ≥ 2 % worse',
    async run(workbench) {
      const full = workbench.scale === 'full';
      const steps = full ? 3000 : 60;
      const layers = (mixer: string) => [mixer, mixer, mixer, mixer];
      const runs: { seed: number; lightning: TextResult; transformer: TextResult; withoutDecay: TextResult }[] = [];
      for (const seed of full ? [0, 1, 2] : [0]) {
        const run = (mixer: string, positions: 'none' | 'learned' = 'none') =>
          trainedOnText(workbench, { layers: layers(mixer), positions, seed, steps });
        runs.push({
          seed,
          lightning: await run('lightning:heads=4'),
          transformer: await run('attention:heads=4', 'learned'),
          withoutDecay: await run('lightning:heads=4,decay=no'),
        });
      }
      const mean = (of: (one: (typeof runs)[number]) => TextResult) =>
        runs.reduce((sum, one) => sum + of(one).loss, 0) / runs.length;
      const loss = mean(({ lightning }) => lightning);
      return {
        measured: { steps, runs },
        holds:
          loss <= 1.05 * mean(({ transformer }) => transformer) &&
          mean(({ withoutDecay }) => withoutDecay) >= 1.02 * loss,
        note: `Bytes of the bundled books, 256 at a time; the transformer has learned positions, since the laboratory has no rotary ones, and both have the same feed-forward part with GELU in place of SGLU. ${full ? '' : 'Quick: 60 steps, which say little, and one seed; full has 3000 and three.'}`,
      };
    },
  },
  {
    id: '6',
    claimed: 'trained at 256 bytes, read at 1024: mean loss on positions 512–1023 ≤ 1.05 times that on 128–255',
    async run(workbench) {
      const steps = workbench.scale === 'full' ? 3000 : 60;
      const layers = Array<string>(4).fill('lightning:heads=4');
      const { byPosition, loss } = await trainedOnText(workbench, { layers, steps }, 1024);
      const late = byPosition.slice(4).reduce((sum, one) => sum + one / 4, 0);
      const early = byPosition[1] ?? Number.NaN;
      return {
        measured: { steps, loss, byPosition, early, late, ratio: late / early },
        holds: late <= 1.05 * early,
        note: 'Sixteen pieces of the test part. A transformer with learned positions cannot be read beyond 256 at all.',
      };
    },
  },
];
