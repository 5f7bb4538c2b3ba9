import {
  bookTokens,
  type Claim,
  haystackOf,
  mean,
  median,
  needle,
  Random,
  type TaskCase,
  type Workbench,
} from '@loci/evaluate';
import type { Model } from 'loci';
import { z } from 'zod';
import { largestGap } from '../keeping/logits.ts';
import { withCaptured } from './captured.ts';
import { type HeadCurves, headCurves, medianOf, recallAt, scansAt } from './curves.ts';
import { mahalanobis } from './distance.ts';
import { mergedGap } from './merged.ts';
import { OneReading, type Reader } from './one-reading.ts';
import { options } from './options.ts';

const defaults = z.object(options()).parse({});
const readers: readonly Reader[] = ['dense', 'retrieval', 'window', 'random'];

export const claims: readonly Claim[] = [
  {
    id: '1a',
    claimed: 'When the search returns all indexed keys, logits equal dense ones to 1e-4',
    async run(workbench) {
      const model = await workbench.model();
      const text = bookTokens(model, haystackOf('moby-dick'), new Random('all keys'), 620);
      const prompt = text.subarray(0, 600);
      const chosen = { ...defaults, from: 0, k: 600, pool: 600, window: 64, every: 1 };
      const reading = await OneReading.of(model, prompt, chosen, { precision: 'float32' });
      const few = await OneReading.of(model, prompt, { ...chosen, k: 8, pool: 16 }, { precision: 'float32' });
      try {
        const logits = (one: OneReading, reader: Reader) =>
          one.as(reader, async (session) => (await session.prefill({ ids: text })).logits);
        const dense = await logits(reading, 'dense');
        const measured = {
          indexed: 600 - chosen.window - chosen.sinks,
          largestGap: largestGap(await logits(reading, 'retrieval'), dense),
          gapOf8Keys: largestGap(await logits(few, 'retrieval'), dense),
        };
        return {
          measured,
          holds: measured.largestGap <= 1e-4 && measured.gapOf8Keys > 1e-2,
          note: 'float32; 20 tokens behind a prompt of 600; with 8 keys it must differ',
        };
      } finally {
        reading.close();
        few.close();
      }
    },
  },
  {
    id: '1b',
    claimed:
      'The merge alone equals softmax over the union to 1e-5, also when one set scores 200 below the other or is empty',
    async run(workbench) {
      const model = await workbench.model();
      const measured = {
        random: await mergedGap(model, 0, false),
        twoHundredBelow: await mergedGap(model, 200, false),
        oneEmpty: await mergedGap(model, 0, true),
      };
      return { measured, holds: Object.values(measured).every((gap) => gap <= 1e-5) };
    },
  },
  {
    id: '2',
    claimed:
      'Mahalanobis distance to the keys: held-out queries ≥ 2 × held-out keys (medians) on at least half of the heads',
    async run(workbench) {
      const ratios = await workbench.once('distances', async () => await distanceRatios(workbench));
      const all = ratios.flat();
      const measured = {
        heads: all.length,
        shareAtLeast2: mean(all.map((ratio) => (ratio >= 2 ? 1 : 0))),
        median: median(all),
        smallest: Math.min(...all),
        largest: Math.max(...all),
        medianPerLayer: ratios.map((heads) => median([...heads])),
      };
      return { measured, holds: measured.shareAtLeast2 >= 0.5 };
    },
  },
  {
    id: '3',
    claimed:
      'Recall@32 = 0.9 at about 8K keys: median scans ≤ 0.7 × those of a graph of the same degree of key-to-key neighbours',
    async run(workbench) {
      const heads = await curves(workbench);
      const scans = (of: 'own' | 'ofKeys') => medianOf(heads.map((head) => scansAt(head[of], 0.9)));
      const pairs = heads.map(
        ({ own, ofKeys }) => (scansAt(own, 0.9) ?? Number.NaN) / (scansAt(ofKeys, 0.9) ?? Number.NaN),
      );
      const both = pairs.filter(Number.isFinite);
      const measured = {
        ...{ heads: heads.length, keys: heads[0]?.keys ?? 0 },
        ...{ scans: scans('own'), scansOfKeyGraph: scans('ofKeys'), ratio: scans('own') / scans('ofKeys') },
        ...{ medianOfRatios: median(both), smallest: Math.min(...both), largest: Math.max(...both) },
        ...{ shareOfKeysScanned: scans('own') / (heads[0]?.keys ?? 1) },
        ...{
          reachable: mean(heads.map(({ reachable }) => reachable)),
          notReaching: heads.filter(({ own }) => scansAt(own, 0.9) === undefined).length,
        },
      };
      return { measured, holds: measured.ratio <= 0.7, note: graphNote };
    },
  },
  {
    id: '4',
    claimed: 'k and pool fixed, four times the keys: scans grow ≤ 2 ×',
    async run(workbench) {
      const heads = await curves(workbench);
      const at = (of: 'own' | 'quarter', pool: number) =>
        median(heads.map((head) => head[of].find((point) => point.pool === pool)?.scans ?? Number.NaN));
      const recall = (of: 'own' | 'quarter', pool: number) =>
        mean(heads.map((head) => head[of].find((point) => point.pool === pool)?.recall ?? Number.NaN));
      const measured = {
        keys: heads[0]?.keys ?? 0,
        scansOfQuarter: at('quarter', 128),
        scans: at('own', 128),
        growth: at('own', 128) / at('quarter', 128),
        shareOfKeysScanned: at('own', 128) / (heads[0]?.keys ?? 1),
        recallOfQuarter: recall('quarter', 128),
        recall: recall('own', 128),
        droppedWeight: median(heads.map(({ dropped }) => dropped)),
        mostDroppedWeight: Math.max(...heads.map(({ dropped }) => dropped)),
      };
      return {
        measured,
        holds: measured.growth <= 2,
        note: 'pool 128; the quarter is the last one. Dropped weight: softmax over indexed keys that is not on the exact best 32.',
      };
    },
  },
  {
    id: '5',
    claimed:
      'Needle outside the window: gain ≥ 80 % of dense, window alone ≤ 15 %, keys by chance ≤ 20 %; 64 greedy tokens agree with dense on ≥ 90 % of steps, teacher-forced; query-agnostic',
    async run(workbench) {
      const cases = workbench.scale === 'full' ? 12 : 2;
      const gains: Record<Reader, number[]> = { dense: [], retrieval: [], window: [], random: [] };
      const agreements: number[] = [];
      for (let number = 0; number < cases; number++) {
        const found = await workbench.once(`needle ${number}`, async () => await needleGains(workbench, number));
        for (const reader of readers) gains[reader].push(found.gains[reader]);
        agreements.push(found.agreement);
        workbench.progress('needles', (number + 1) / cases);
      }
      const dense = mean(gains.dense);
      const share = (reader: Reader) => mean(gains[reader]) / dense;
      const measured = {
        cases,
        denseGain: dense,
        ...{ retrieval: share('retrieval'), window: share('window'), random: share('random') },
        agreement: mean(agreements),
      };
      return {
        measured,
        holds:
          measured.retrieval >= 0.8 && measured.window <= 0.15 && measured.random <= 0.2 && measured.agreement >= 0.9,
        note: 'the index is made before the question is read: it and the answer are read by search. Gain: nats per answer token with the needle minus without it.',
      };
    },
  },
  {
    id: '6',
    claimed: "Of another head's queries, or another text's, recall at equal scans is lower on average",
    async run(workbench) {
      const heads = await curves(workbench);
      const drops = (of: 'otherHead' | 'otherText') =>
        heads.map((head) => {
          const point = head.own.find(({ pool }) => pool === 96);
          return (point?.recall ?? Number.NaN) - recallAt(head[of], point?.scans ?? 0);
        });
      const measured = {
        recall: mean(heads.map(({ own }) => own.find(({ pool }) => pool === 96)?.recall ?? Number.NaN)),
        dropOfOtherHead: mean(drops('otherHead')),
        dropOfOtherText: mean(drops('otherText')),
        headsThatDropWithOtherText: drops('otherText').filter((drop) => drop > 0).length,
        headsThatDropWithOtherHead: drops('otherHead').filter((drop) => drop > 0).length,
        heads: heads.length,
      };
      return {
        measured,
        holds: measured.dropOfOtherHead > 0 && measured.dropOfOtherText > 0,
        note: 'at the scans that a pool of 96 takes',
      };
    },
  },
];

const graphNote =
  'the graph of keys differs in step a alone: each key is the pivot of its own exact nearest keys; pruning, reverse links and searches for every key are the same';

/** Three heads of some layers over 8,000 tokens. */
async function curves(workbench: Workbench): Promise<readonly HeadCurves[]> {
  const isFull = workbench.scale === 'full';
  const model = await workbench.model();
  const layers = model.arch.layers.map((_, layer) => layer).filter((layer) => (isFull ? true : layer % 10 === 5));
  return await workbench.once('curves', async () => {
    const found = await headCurves(model, 8000, layers, (share) =>
      workbench.progress('searches over captured keys', share),
    );
    return found.map((one) => ({
      ...one,
      own: [...one.own],
      ofKeys: [...one.ofKeys],
      otherHead: [...one.otherHead],
      otherText: [...one.otherText],
      quarter: [...one.quarter],
    }));
  });
}

/** Median distance of held-out queries over that of held-out keys, [layer][head]. */
async function distanceRatios(workbench: Workbench): Promise<number[][]> {
  const model = await workbench.model();
  const { headSize: d, heads: h, kvHeads: g } = model.arch;
  const tokens = workbench.scale === 'full' ? 8000 : 3000;
  const text = bookTokens(model, haystackOf('moby-dick'), new Random('distances'), tokens);
  const layers = model.arch.layers.map((_, layer) => layer);
  const positions = Array.from({ length: 300 }, (_, i) => 17 + Math.floor((i * (tokens - 17)) / 300));
  return await withCaptured(model, text, { positions, layers }, async ({ layers: found }) =>
    Array.from(found.values(), ({ queries, keys }) => {
      const rows = (own: Float32Array, wants: (key: number) => boolean) =>
        Float32Array.from(own.filter((_, i) => Math.floor(i / d) >= 16 && wants(Math.floor(i / d))));
      const ofKeys = keys.map((own) => ({
        fitted: rows(own, (key) => key % 2 === 0),
        held: rows(own, (key) => key % 10 === 5),
      }));
      return Array.from({ length: h }, (_, head) => {
        const { fitted, held } = ofKeys[Math.floor((head * g) / h)] ?? {
          fitted: new Float32Array(),
          held: new Float32Array(),
        };
        const far = (own: Float32Array) => median([...mahalanobis(own, fitted, d)]);
        return far(queries[head] ?? new Float32Array()) / far(held);
      });
    }),
  );
}

/** What a needle is worth to every reader, and how often its next token is dense attention's. */
async function needleGains(
  workbench: Workbench,
  number: number,
): Promise<{ gains: Record<Reader, number>; agreement: number }> {
  const model = await workbench.model();
  const one = needle(model, { length: workbench.scale === 'full' ? 6000 : 4096, depth: [0.1, 0.85] }, number);
  const chosen = { ...defaults, from: 1000 };
  const losses = async (context: Int32Array, last?: (reading: OneReading) => Promise<number>) => {
    const reading = await OneReading.of(model, context, chosen, { signal: workbench.signal });
    try {
      const found: Record<Reader, number> = { dense: 0, retrieval: 0, window: 0, random: 0 };
      for (const reader of readers) found[reader] = await answerLoss(reading, reader, context, one);
      return { found, agreement: (await last?.(reading)) ?? 0 };
    } finally {
      reading.close();
    }
  };
  const [start = 0, end = 0] = one.spans
    .filter(({ kind }) => kind === 'needle')
    .flatMap((span) => [span.start, span.end]);
  const without = Int32Array.from([...one.context.subarray(0, start), ...one.context.subarray(end)]);
  const { found: bare } = await losses(without);
  const { found: full, agreement } = await losses(one.context, (reading) => agreementOf(model, reading, one));
  const gains: Record<Reader, number> = { dense: 0, retrieval: 0, window: 0, random: 0 };
  for (const reader of readers) gains[reader] = bare[reader] - full[reader];
  return { gains, agreement };
}

/** Mean loss of the answer's tokens; question and answer are read behind the indexed context. */
async function answerLoss(
  reading: OneReading,
  reader: Reader,
  context: Int32Array,
  { question, answer }: TaskCase,
): Promise<number> {
  return await reading.as(reader, async (session) => {
    const [all = new Float64Array()] = await session.scoreContinuations({ ids: context }, [[...question, ...answer]]);
    return mean([...all.subarray(question.length)]);
  });
}

/** Share of the steps of dense attention's greedy text, behind the question, at which the search has the same next token. */
async function agreementOf(model: Model, reading: OneReading, { context, question }: TaskCase): Promise<number> {
  const steps = 64;
  const prompt = [...context, ...question];
  const { ids } = await reading.as('dense', (session) =>
    session.complete({ ids: prompt }, { maxTokens: steps, ignoreEnd: true }),
  );
  return await reading.as('retrieval', async (session) => {
    let same = 0;
    for (let step = 0; step < steps; step++) {
      const { logits } = await session.prefill({ ids: [...prompt, ...ids.slice(0, step)] });
      if (largest(logits, model.arch.vocabulary) === ids[step]) same++;
    }
    return same / steps;
  });
}

function largest(logits: Float32Array, count: number): number {
  let best = 0;
  for (let id = 1; id < count; id++) if ((logits[id] ?? 0) > (logits[best] ?? 0)) best = id;
  return best;
}
