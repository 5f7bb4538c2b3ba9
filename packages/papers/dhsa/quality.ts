// Item 5: what sparse reading holds of dense attention's mass, and what it costs in loss and in a needle's worth.
import { mean, needle, type Workbench } from '@loci/evaluate';
import type { Attend, Model } from 'loci';
import { boundaryReference } from '../../kernels/gaps/reference.ts';
import { inSession } from '../methods/in-session.ts';
import { dhsa } from './attend.ts';
import { denseMaps, ratiosOf } from './dense-maps.ts';
import { boundaryRatio } from './labels.ts';
import { capturedMass } from './mass.ts';
import { passage } from './predictor/examples.ts';

const sparse = { block: 128, local: 64, global: 64 } as const;

/** Tokens of a book that the predictor has not seen. */
export function words(model: Model, n: number, from = 40_000): Int32Array {
  return passage(model, 'dracula', from, n);
}

export const ways = ['predicted', 'equal', 'blocks', 'plainMeans', 'label', 'tokens', 'threshold11'] as const;
export type Way = (typeof ways)[number];

/**
 * Mass held in some layers with predicted chunks, equal ones of the same number, blocks of 64 with plain means, predicted
 * chunks with plain means, chunks cut where the label maker would, single tokens, and chunks predicted with 1.1.
 */
export async function masses(model: Model, workbench: Workbench) {
  const quick = workbench.scale === 'quick';
  const n = quick ? 2048 : 4096;
  const ids = words(model, n, 10_000);
  const layers = quick ? [2, 11, 20, 28] : Array.from(model.arch.layers.keys());
  const cutBy = async (threshold: number) => {
    workbench.progress(`boundaries of ${n} tokens`);
    return inSession(model, { attend: dhsa.with({ budget: 100_000, threshold }) }, async (session) => {
      await session.prefill({ ids });
      return endsIn(session.attended);
    });
  };
  const [cuts, few] = [await cutBy(0), await cutBy(1.1)];
  const { heads: h, kvHeads: g, headSize: d } = model.arch;
  const blocks = quick ? [5, 9, 13, 15] : Array.from({ length: n / sparse.block - 4 }, (_, i) => i + 4);
  const found: { readonly layer: number; readonly chunks: number; readonly mass: Readonly<Record<Way, number>> }[] = [];
  await denseMaps(model, ids, layers, async (maps) => {
    workbench.progress('mass by layer', found.length / layers.length);
    const predicted = cuts[maps.index] ?? [n];
    const evenly = (count: number) => Array.from({ length: count }, (_, i) => Math.round(((i + 1) * n) / count));
    const ratios = (await ratiosOf(maps, n, h, 4)).map((ratio) => (Number.isNaN(ratio) ? 0 : ratio));
    const most = Math.floor(n / 16);
    const label = boundaryReference(ratios, { w: 4, threshold: boundaryRatio, reach: 8, most, together: 64 });
    const held = await capturedMass(
      maps,
      { n, h, g, d },
      [
        { ends: predicted, length: 'root' },
        { ends: evenly(predicted.length), length: 'root' },
        { ends: evenly(n / 64), length: 'none' },
        { ends: predicted, length: 'none' },
        { ends: label, length: 'root' },
        { ends: evenly(n), length: 'root' },
        { ends: few[maps.index] ?? [n], length: 'root' },
      ],
      blocks,
      { ...sparse, budget: n / 8 },
    );
    const of = (way: Way) => held[ways.indexOf(way)] ?? Number.NaN;
    const mass = {
      ...{ predicted: of('predicted'), equal: of('equal'), blocks: of('blocks'), plainMeans: of('plainMeans') },
      ...{ label: of('label'), tokens: of('tokens'), threshold11: of('threshold11') },
    };
    found.push({ layer: maps.index, chunks: predicted.length, mass });
  });
  return { n, rows: found };
}

function endsIn(attended: unknown): readonly number[][] {
  if (typeof attended !== 'object' || attended === null || !('ends' in attended)) throw new RangeError('no chunks');
  return JSON.parse(JSON.stringify(attended.ends));
}

export async function lossGaps(model: Model, workbench: Workbench) {
  const n = 4096;
  const ids = words(model, n, 10_000);
  const loss = (what: string, attend?: Attend) => {
    workbench.progress(`loss of 4,096 tokens, ${what}`);
    return inSession(model, { ...(attend && { attend }) }, async (session) => {
      const { losses } = await session.score({ ids });
      return mean([...losses.subarray(n / 4)]);
    });
  };
  const given = { ...sparse, budget: n / 8 };
  return {
    dense: await loss('dense'),
    predicted: await loss('predicted chunks', dhsa.with(given)),
    equal: await loss('equal chunks', dhsa.with({ ...given, cut: 'equal' })),
    plainMeans: await loss('predicted chunks, plain means', dhsa.with({ ...given, length: 'none' })),
    shared: await loss('chunks of the first layer', dhsa.with({ ...given, share: 30 })),
  };
}

/** Nats that a needle adds to its answer, by method: budget L / 8. */
export async function needleGains(model: Model, workbench: Workbench) {
  const [length, cases] = workbench.scale === 'quick' ? [2048, 2] : [4096, 8];
  const budget = length / 8;
  const near: Attend = {
    ...{ axis: 'attend', name: 'near', spec: `near:${budget}`, needs: { decides: ['sight'] } },
    sight: () => ({ sinks: 0, window: budget }),
  };
  const given = { ...sparse, budget };
  const methods = [
    undefined,
    dhsa.with(given),
    near,
    dhsa.with({ ...given, cut: 'equal' }),
    dhsa.with({ ...given, length: 'none' }),
  ];
  const sums = methods.map(() => 0);
  for (let i = 0; i < cases; i++) {
    const one = needle(model, { length, depth: 0.25 + 0.5 * (i / cases) }, i);
    const [span] = one.spans.filter(({ kind }) => kind === 'needle');
    const all = [...one.context, ...one.question];
    const without = span ? [...all.slice(0, span.start), ...all.slice(span.end)] : all;
    for (const [k, attend] of methods.entries()) {
      workbench.progress('needle gains', (i + k / methods.length) / cases);
      await inSession(model, { ...(attend && { attend }) }, async (session) => {
        for (const [sign, ids] of [
          [1, without],
          [-1, all],
        ] as const) {
          const [losses = new Float64Array()] = await session.scoreContinuations({ ids }, [one.answer]);
          sums[k]! += (sign * losses.reduce((sum, loss) => sum + loss, 0)) / cases;
        }
      });
    }
  }
  const [dense = 0, predicted = 0, window = 0, equal = 0, plainMeans = 0] = sums;
  return { length, dense, predicted, window, equal, plainMeans };
}
