import { setImmediate } from 'node:timers/promises';
import {
  type Claim,
  mean,
  median,
  repeatedPassage,
  type TaskCase,
  type TextName,
  type Workbench,
} from '@loci/evaluate';
import { Random } from '@loci/evaluate/random';
import { pageBytes, pageSlots } from '@loci/kernels';
import type { Keep, Model, OpenOptions } from 'loci';
import { namedScores } from '../heads/bundled.ts';
import { type HeadSet, sizeOf } from '../heads/choose.ts';
import { foreign, type HeadScores } from '../heads/scores.ts';
import { capture } from '../keeping/captured.ts';
import { bookText, largestGap, lastLogits } from '../keeping/logits.ts';
import { answerLosses } from '../keeping/one-prompt.ts';
import { inSession } from '../methods/in-session.ts';
import { alibiReach, normedInputs, randomLayer, weightBeyond } from './alibi.ts';
import { type Compensated, compensated } from './compensated.ts';
import { handBuiltScores } from './hand-built.ts';
import { razorAttention, retrievalHeads, windowSlots } from './keep.ts';
import { Means } from './means.ts';
import { inductionScores, repeatedTokens, repetitionScores } from './probe.ts';
import { type BiasedSlot, biasedAttention } from './reference.ts';

/** Of items 2, 4 and 5. */
const short = { s0: 128, c: 8 } as const;
const passage = 200;

export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed:
      'All heads protected, a text within N0 + L, or one dropped position: logits equal dense to 1e-4. Equal dropped keys and values: 1e-5',
    async run(workbench) {
      const model = await workbench.model();
      const options = { precision: 'float32' } as const;
      const text = bookText(model, 264);
      const gap = async (keep: Keep, prompt: number) =>
        largestGap(
          await lastLogits(model, { ...options, keep }, text, prompt),
          await lastLogits(model, options, text, prompt),
        );
      // 255 slots of its own and the one for the rest are 8 pages.
      const tight = { s0: 251, c: 1_000_000 } as const;
      const measured = {
        allProtected: await gap(razorAttention.with({ s0: 28, c: 1000, protect: 'all' }), 250),
        withinWindow: await gap(razorAttention.with(tight), 255),
        oneDropped: await gap(razorAttention.with({ ...tight, protect: 'none' }), 256),
        manyDropped: await gap(razorAttention.with({ s0: 28, c: 1000, protect: 'none' }), 256),
        equalKeysAndValues: equalDropped(),
      };
      const { allProtected, withinWindow, oneDropped, manyDropped, equalKeysAndValues } = measured;
      const same = Math.max(allProtected, withinWindow, oneDropped) <= 1e-4;
      return {
        measured,
        holds: same && equalKeysAndValues <= 1e-5 && manyDropped > 1e-2,
        note: 'manyDropped shows that the cut is in force: it must differ',
      };
    },
  },
  {
    id: '2',
    claimed: 'N exp(q·k̂) ≤ Σ exp(q·k) over the dropped keys, to 1e-5, for every layer, head and query of a real cache',
    async run(workbench) {
      const found = await comparisons(workbench);
      const all = found.flatMap(({ triples }) => triples);
      const measured = {
        triples: all.length,
        largestShare: Math.max(...all.map(({ share }) => share)),
        medianShare: median(all.map(({ share }) => share)),
      };
      return { measured, holds: measured.largestShare <= 1 + 1e-5 };
    },
  },
  {
    id: '3',
    claimed:
      'Best induction score ≥ 0.3, mean of the selected heads ≥ 5 × the median head; without repetition the best is below 0.05; a hand-built induction head scores > 0.9 and other heads < 0.1',
    async run(workbench) {
      const model = await workbench.model();
      const k = workbench.scale === 'quick' ? 256 : 512;
      workbench.progress('reading random tokens, repeated and not');
      const probed = await workbench.once(`scores k=${k}`, () =>
        inductionScores(model, { k, seed: 1, signal: workbench.signal }),
      );
      const unrepeated = await workbench.once(`unrepeated k=${k}`, async () => {
        const { signal } = workbench;
        const { scores, echo } = await repetitionScores(model, repeatedTokens(model, 4 * k, 2, 1), k, { signal });
        return { induction: Math.max(...scores.flat()), echo: Math.max(...echo.flat()) };
      });
      const { kvHeads } = model.arch;
      const set = plan(probed, kvHeads);
      const group = model.arch.heads / kvHeads;
      const bestOf = (layer: number, head: number) =>
        Math.max(...(probed.scores[layer] ?? []).slice(head * group, (head + 1) * group));
      const selected = set.flatMap((heads, layer) =>
        heads.flatMap((chosen, head) => (chosen ? [bestOf(layer, head)] : [])),
      );
      const ids = new Random('hand-built').shuffled(Array.from({ length: 128 }, (_, i) => i));
      const block = ids.slice(0, 32);
      const built = handBuiltScores(ids, 32);
      const exact = handBuiltScores([...block, ...block, ...block, ...block], 32);
      const others = [...(exact[0] ?? []), exact[1]?.[1] ?? Number.NaN];
      const measured = {
        k,
        best: Math.max(...probed.scores.flat()),
        selectedMean: mean(selected),
        median: median(probed.scores.flat()),
        unrepeatedBest: unrepeated.induction,
        unrepeatedBestEcho: unrepeated.echo,
        handBuilt: exact[1]?.[0] ?? Number.NaN,
        handBuiltOthers: Math.max(...others),
        handBuiltUnrepeated: Math.max(...built.flat()),
      };
      const finds = measured.best >= 0.3 && measured.selectedMean >= 5 * measured.median;
      const none = measured.unrepeatedBest < 0.05 && measured.handBuiltUnrepeated < 0.1;
      return { measured, holds: finds && none && measured.handBuilt > 0.9 && measured.handBuiltOthers < 0.1 };
    },
  },
  {
    id: '4',
    claimed:
      'Repeated passage, S0 = 128, C = 8: the gap to dense with the plan is ≤ 0.5 × that with as many random heads (10 seeds) and ≤ 0.35 × that with none, for a share of at most 30 %',
    async run(workbench) {
      const model = await workbench.model();
      const induction = 0.14;
      const tried: PlanGaps[] = [];
      for (const echo of [0.01, 0.03, 0.05, 0.1, 0.15]) {
        const found = await workbench.once(`gaps to choose by, echo ${echo}`, () =>
          planGaps(model, workbench, 'dracula', { induction, echo }),
        );
        tried.push(found);
        if (reaches(found)) break;
      }
      const chosen = tried.at(-1)?.echo ?? 0;
      const found = await workbench.once(`gaps with echo ${chosen}`, () =>
        planGaps(model, workbench, 'moby-dick', { induction, echo: chosen }),
      );
      const told = ({ random, ...rest }: PlanGaps) => {
        const byChance = mean([...random]);
        return { ...rest, random: byChance, ofRandom: rest.plan / byChance, ofNone: rest.plan / rest.none };
      };
      return {
        measured: { induction, ...told(found), triedOnOthers: tried.map(told) },
        holds: found.share <= 0.3 && reaches(found),
        note: 'the share by echo is the first of 0.01, 0.03, 0.05, 0.1, 0.15 that reaches both on passages of another book (triedOnOthers); what is judged is measured on passages that had no part in the choice. Four heads of this model score above 0.4 by echo, and 1 % of 90 keeps one of them: more induction heads in its place, up to 29 %, leave the gap where it is. The plan does not know the text',
      };
    },
  },
  {
    id: '5',
    claimed:
      'In heads that do not retrieve the error of the output is less with the compensation token than without: on average, and in ≥ 60 % of (layer, head, query)',
    async run(workbench) {
      const all = (await comparisons(workbench)).flatMap(({ triples, whole }) => (whole ? [] : triples));
      const measured = {
        triples: all.length,
        withToken: mean(all.map((one) => one.mean)),
        withoutToken: mean(all.map(({ none }) => none)),
        biasZero: mean(all.map(({ plain }) => plain)),
        better: all.filter((one) => one.mean < one.none).length / all.length,
        biasZeroBetter: all.filter(({ plain, none }) => plain < none).length / all.length,
      };
      return { measured, holds: measured.withToken < measured.withoutToken && measured.better >= 0.6 };
    },
  },
  {
    id: '6',
    claimed: 'Bytes of the cache equal (p n + (1 − p)(N0 + L + 1)) slots to 1 %, at n = 1024, 4096, 8192',
    async run(workbench) {
      const model = await workbench.model();
      const { layers, kvHeads, headSize } = model.arch;
      const set = plan(scoresOf(model), kvHeads);
      const p = sizeOf(set) / set.flat().length;
      const lengths = [1024, 4096, 8192].filter((n) => n <= model.contextLength);
      // 251: with sinks and the slot for the rest the smallest window is whole pages.
      const rows: { n: number; s0: number; bytes: number; ofFormula: number; ofWholePages: number }[] = [];
      for (const n of lengths) {
        for (const s0 of n === 1024 ? [251, 256] : [256]) {
          workbench.progress(`reading ${n} tokens`, lengths.indexOf(n) / lengths.length);
          const settings = { sinks: 4, s0, c: 5, token: 'mean' } as const;
          const bytes = await workbench.once(`bytes, ${n} tokens, s0 ${s0}`, () =>
            bytesOf(model, { keep: razorAttention.with(settings) }, n, workbench.signal),
          );
          const slot = (pageBytes('f16', headSize) / pageSlots) * layers.length * kvHeads;
          const formula = (kept: number) => (p * n + (1 - p) * kept) * slot;
          const exact = 4 + Math.max(s0, Math.floor(n / 5)) + 1;
          const ofFormula = bytes / formula(exact);
          rows.push({ n, s0, bytes, ofFormula, ofWholePages: bytes / formula(windowSlots(settings, n)) });
        }
      }
      const near = (ratio: number) => Math.abs(ratio - 1) <= 0.01;
      return {
        measured: { protectedShare: p, rows },
        holds:
          rows.every(({ ofWholePages }) => near(ofWholePages)) &&
          rows.filter(({ ofFormula }) => near(ofFormula)).length >= lengths.length,
        note: 'windows are rounded up to whole pages of 32 slots: with S0 = 256 that is 6 % more at 1024 tokens than the formula with L as it is, with S0 = 251 nothing',
      };
    },
  },
  {
    id: '7',
    claimed: 'ALiBi, 100 random small layers: no weight beyond L_h exceeds 0.001, and some head has L_h < n / 4',
    async run(workbench) {
      const n = workbench.scale === 'quick' ? 256 : 512;
      const epsilon = 0.001;
      const random = new Random('alibi');
      let beyond = 0;
      let shortest = Number.POSITIVE_INFINITY;
      let inside = 0;
      for (let i = 0; i < 100; i++) {
        // Nothing else lets a signal arrive.
        await setImmediate();
        workbench.progress('random layers', i / 100);
        const layer = randomLayer(random);
        const inputs = normedInputs(layer, random, n);
        for (const head of layer.heads) {
          const reach = alibiReach(layer, head, epsilon);
          shortest = Math.min(shortest, reach);
          if (reach >= n) continue;
          inside++;
          beyond = Math.max(beyond, weightBeyond(layer, head, inputs, reach));
        }
      }
      const measured = { n, headsWithin: inside, shortestReach: shortest, largestWeightBeyond: beyond };
      return { measured, holds: beyond <= epsilon && shortest < n / 4 };
    },
  },
];

/** Losses of repeated passages above dense ones, by what is kept whole: none, a plan, as many heads by chance. */
type PlanGaps = Readonly<Record<'echo' | 'share' | 'dense' | 'none' | 'plan', number>> & {
  readonly random: readonly number[];
};

async function planGaps(
  model: Model,
  workbench: Workbench,
  text: TextName,
  { induction, echo }: { readonly induction: number; readonly echo: number },
): Promise<PlanGaps> {
  const shares = { ...short, induction, echo } as const;
  const keeps = [
    undefined,
    razorAttention.with({ ...shares, protect: 'none' }),
    razorAttention.with(shares),
    ...Array.from({ length: 10 }, (_, seed) => razorAttention.with({ ...shares, protect: 'random', seed })),
  ];
  const losses: number[][] = [];
  for (const one of passages(model, workbench, text)) {
    const report = (done: number) => workbench.progress(`passages of ${text}, ${echo} by echo`, done);
    losses.push((await answerLosses(model, one, keeps, {}, report)).map((all) => mean([...all])));
  }
  const [dense = Number.NaN, without = Number.NaN, planned = Number.NaN, ...random] = keeps.map((_, i) =>
    mean(losses.map((row) => row[i] ?? Number.NaN)),
  );
  const gap = (loss: number) => loss - dense;
  const set = plan(scoresOf(model), model.arch.kvHeads, shares);
  const share = sizeOf(set) / set.flat().length;
  return { echo, share, dense, none: gap(without), plan: gap(planned), random: random.map(gap) };
}

/** Whether a plan does what item 4 asks for. */
function reaches({ plan, none, random }: { plan: number; none: number; random: readonly number[] }): boolean {
  return plan <= 0.5 * mean([...random]) && plan <= 0.35 * none;
}

/** The bundled induction scores of a model. */
function scoresOf(model: Model): HeadScores {
  const found = namedScores('induction').find((scores) => foreign(scores, model) === undefined);
  if (!found) throw new RangeError(`there are no induction scores of ${model.name}`);
  return found;
}

function plan(scores: HeadScores, kvHeads: number, { induction = 0.14, echo = 0.01 } = {}): HeadSet {
  return retrievalHeads(scores, kvHeads, { induction, echo, 'rank-over': 'kv' });
}

function passages(model: Model, { scale }: Workbench, text: TextName = 'moby-dick'): readonly TaskCase[] {
  const count = scale === 'quick' ? 2 : 6;
  return Array.from({ length: count }, (_, i) => repeatedPassage(model, { length: 1800, passage, text }, i));
}

function bytesOf(model: Model, options: OpenOptions, n: number, signal: AbortSignal): Promise<number> {
  return inSession(model, options, async (session) => {
    await session.prefill({ ids: bookText(model, n) }, { signal });
    return session.kvBytes;
  });
}

/** The largest difference between attention over equal dropped slots and over the slot that the method has for them. */
function equalDropped(): number {
  const random = new Random('equal dropped');
  const d = 16;
  const floats = () => Float32Array.from({ length: d }, () => 2 * random.real() - 1);
  let most = 0;
  for (let i = 0; i < 50; i++) {
    const kept: BiasedSlot[] = Array.from({ length: 5 }, () => ({ key: floats(), value: floats(), bias: 0 }));
    const dropped: BiasedSlot = { key: floats(), value: floats(), bias: 0 };
    const means = new Means(1, d);
    let count = 0;
    for (const added of [1, 7, 32]) {
      const rows = (row: ArrayLike<number>) => Float32Array.from({ length: added * d }, (_, c) => row[c % d] ?? 0);
      means.fold(0, { keys: rows(dropped.key), values: rows(dropped.value) });
      means.counted(added);
      count += added;
    }
    const query = floats().map((value) => 4 * value);
    const all = biasedAttention(query, [...kept, ...Array.from({ length: count }, () => dropped)], 1);
    const one = { key: means.key(0), value: means.value(0), bias: Math.log(means.count) };
    most = Math.max(most, largestGap(all, biasedAttention(query, [one, ...kept], 1)));
  }
  return most;
}

/** Types and no interfaces, since these are what JSON can say. */
type HeadComparisons = {
  /** Whether the plan keeps everything of the head. */
  readonly whole: boolean;
  readonly triples: readonly Pick<Compensated, keyof Compensated>[];
};

/** Items 2 and 5: every head with some queries from the second copy of a passage. */
async function comparisons(workbench: Workbench): Promise<readonly HeadComparisons[]> {
  const model = await workbench.model();
  const { heads, kvHeads, headSize: d } = model.arch;
  const rows = Array.from(
    { length: workbench.scale === 'quick' ? 8 : 40 },
    (_, i) => i * (workbench.scale === 'quick' ? 25 : 5),
  );
  const found = await workbench.once('outputs of heads with and without the token', async () => {
    const [one] = passages(model, workbench);
    if (!one) return [];
    workbench.progress('reading a passage twice');
    const layers = await capture(model, one.context, one.answer, rows);
    const set = plan(scoresOf(model), kvHeads);
    const n = one.context.length;
    const window = windowSlots({ sinks: 4, ...short, token: 'mean' }, n) - 5;
    const compared: HeadComparisons[] = [];
    for (const [l, layer] of layers.entries()) {
      await setImmediate();
      workbench.progress('comparing outputs', l / layers.length);
      for (let head = 0; head < heads; head++) {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const triples = rows.map((row, i) => {
          const query = layer.queries.subarray((i * heads + head) * d, (i * heads + head + 1) * d);
          return { ...compensated(layer, kvHead, query, n + row + 1, [4, n - window]) };
        });
        compared.push({ whole: set[l]?.[kvHead] === true, triples });
      }
    }
    return compared;
  });
  return found;
}
