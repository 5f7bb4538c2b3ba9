import {
  type Claim,
  mean,
  pearson,
  perplexity,
  spearman,
  type TaskCase,
  type TextName,
  type Workbench,
} from '@loci/evaluate';
import type { Model } from 'loci';
import { drawHeads, type HeadName, headList, ranked } from '../masking/heads.ts';
import { headProbes } from '../registry.ts';
import { handBuilt, scoresOf } from './hand-built.ts';
import { rowsOf, type Summary, summarize } from './head-probe.ts';
import { instances } from './instances.ts';
import { type MaskedCase, masked } from './masked.ts';
import { type Instance, measure, measureCase } from './measure.ts';
import { withRandomWeights } from './random-model.ts';
import type { AnswerScores } from './score.ts';

const lengths = [256, 512, 1024];
const sizes = {
  quick: { half: 18, needles: 9, texts: 4, random: 6 },
  full: { half: 54, needles: 27, texts: 12, random: 27 },
} as const;
/** Numbers of heads that are masked; 14 are the top twentieth. */
const doses = [0, 2, 5, 10, 14, 30];
const few = 14;
const draws = 10;
/** Share of the ranking from which no control is drawn. */
const spared = 0.2;

export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed:
      'A head that always looks at the right token of the needle scores 1, one token ahead 0, the right token outside ' +
      'the needle 0, and a needle copied twice 1 (2 as the official code counts)',
    async run() {
      const measured = handBuilt.map(({ name, given, score, official }) => {
        const found = scoresOf(given);
        return { case: name, score: found.score, official: found.official, wanted: score, officialWanted: official };
      });
      const holds = measured.every((one) => one.score === one.wanted && one.official === one.officialWanted);
      return { measured, holds };
    },
  },
  {
    id: '2a',
    claimed:
      'Retrieval heads are few: from 1 to 20 % of the heads score 0.1 or more, one at least 0.3, and 30 % or more below 0.01',
    async run(bench) {
      const { summary } = await scores(bench);
      const found = distribution(summary.scores);
      const { atLeastTenth: some, belowHundredth: none, best } = found;
      return {
        measured: { ...said(summary), ...found },
        holds: some >= 0.01 && some <= 0.2 && best >= 0.3 && none >= 0.3,
      };
    },
  },
  {
    id: '2b',
    claimed: 'The same architecture with random weights has no head that scores 0.1',
    async run(bench) {
      const { name } = await bench.model();
      const found = await bench.once('random weights', async () => {
        bench.progress('a model of random weights');
        const run = {
          ...({ count: sizes[bench.scale].random, lengths, haystack: 'moby-dick', seed: 1 } as const),
          signal: bench.signal,
          onProgress: (done: number, total: number) => bench.progress('a model of random weights', done / total),
        };
        const instances = await withRandomWeights(name, 1, (model) => measure(model, run));
        // It answers nothing, so that only the answer that it is given says what its heads look at.
        return instances ? distribution(summarize(instances, 'teacher-forced').scores) : null;
      });
      if (!found)
        return {
          measured: null,
          holds: false,
          note: `${name} is not a GGUF file of this machine in blocks that can be drawn anew`,
        };
      return { measured: { mode: 'teacher-forced', ...found }, holds: found.best < 0.1 };
    },
  },
  {
    id: '3',
    claimed: 'Scores from other needles in another book correlate by 0.8 or more',
    async run(bench) {
      const { one: a, other: b } = await scores(bench);
      const correlation = pearson(a.scores, b.scores);
      return {
        measured: { pearson: correlation, pearsonOfSoft: pearson(a.soft, b.soft), halves: [said(a), said(b)] },
        holds: correlation >= 0.8,
      };
    },
  },
  {
    id: '4a',
    claimed:
      'Without the top twentieth of the heads the loss of the needle rises at least 4 times as much as without as many ' +
      'random ones (mean of 10 draws)',
    async run(bench) {
      const { zero, uniform } = await causal(bench);
      return { measured: { mode: 'zero', ...zero.needles, uniform: uniform.needles }, holds: isCausal(zero.needles) };
    },
  },
  {
    id: '4b',
    claimed: 'Exact recall falls by half or more without them, and by a quarter at most without random ones',
    async run(bench) {
      const { recall } = await causal(bench);
      const { all, withoutTop, withoutRandom } = recall;
      if (all === 0) return { measured: recall, holds: false, note: 'not measurable: no answer was exact at all' };
      return { measured: recall, holds: withoutTop <= all / 2 && mean(withoutRandom) >= all * 0.75 };
    },
  },
  {
    id: '5',
    claimed: 'The loss of ordinary text rises by a quarter at most of what the loss of the needle rises by',
    async run(bench) {
      const { zero, uniform } = await causal(bench);
      const rises = { needles: zero.needles.rise, text: zero.text.rise };
      return {
        measured: { mode: 'zero', ...rises, textWithoutRandom: zero.text.randomRises, uniform: uniform.text },
        holds: rises.text <= rises.needles / 4,
        note:
          'Ordinary text loses more without random heads than without retrieval heads, and under `uniform` some draws hit ' +
          'a head that it cannot do without.',
      };
    },
  },
  {
    id: '6',
    claimed:
      'The more heads are masked, the higher the loss of the needle (up to 0.05 nat), at 14 more than twice as much as for ' +
      'random ones',
    async run(bench) {
      const { dose, zero } = await causal(bench);
      const grows = dose.every((loss, i) => i === 0 || loss >= (dose[i - 1] ?? 0) - 0.05);
      const { rise, randomRises } = zero.needles;
      return {
        measured: { heads: doses, loss: dose, random14: mean(randomRises) },
        holds: grows && rise > 0 && mean(randomRises) < rise / 2,
      };
    },
  },
  {
    id: '7',
    claimed: 'The scores agree with induction scores: rank correlation 0.3 or more',
    async run(bench) {
      const probe = headProbes.find(({ name }) => name === 'induction');
      if (!probe) return { measured: null, holds: false, note: 'there is no induction probe to compare with' };
      const { summary } = await scores(bench);
      const model = await bench.model();
      const other = await bench.once('induction', async () => {
        bench.progress('induction scores');
        return (await probe.measure(model, { seed: 0, signal: bench.signal })).scores.flat();
      });
      const ours = ranked(rowsOf(summary.scores, model.arch.heads)).slice(0, few);
      const theirs = new Set(headList(ranked(rowsOf(other, model.arch.heads)).slice(0, few)).split('+'));
      const both = ours.filter((head) => theirs.has(headList([head])));
      const correlation = spearman(summary.scores, other);
      return {
        measured: {
          ...{ spearman: correlation, spearmanOfSoft: spearman(summary.soft, other) },
          ...{ inBothTop14: both.length, heads: headList(both) },
        },
        holds: correlation >= 0.3,
      };
    },
  },
];

function said({ mode, instances, answered }: Summary) {
  return { mode, instances, answered };
}

function distribution(scores: readonly number[]) {
  const share = (test: (score: number) => boolean) => scores.filter(test).length / scores.length;
  return {
    best: Math.max(...scores),
    atLeastTenth: share((score) => score >= 0.1),
    atLeastHalf: share((score) => score >= 0.5),
    belowHundredth: share((score) => score < 0.01),
    zero: share((score) => score === 0),
  };
}

interface Scores {
  /** Of both halves together. */
  readonly summary: Summary;
  readonly one: Summary;
  readonly other: Summary;
}

/** Two halves that share neither needles nor the book, and both together. */
async function scores(bench: Workbench): Promise<Scores> {
  const model = await bench.model();
  return bench.once('scores', async () => {
    const half = async (haystack: TextName, seed: number, share: number) => {
      const { signal, scale } = bench;
      const count = sizes[scale].half;
      const found: Instance[] = [];
      for (const one of instances(model, { count, lengths, haystack, seed })) {
        bench.progress(`needles in ${haystack}`, share + found.length / count / 2);
        found.push(unpacked(await bench.once(one.id, async () => packed(await measureCase(model, one, { signal })))));
      }
      return found;
    };
    const one = await half('moby-dick', 1, 0);
    const other = await half('frankenstein', 2, 0.5);
    const summary = summarize([...one, ...other]);
    const { mode } = summary;
    return { summary: { ...summary }, one: { ...summarize(one, mode) }, other: { ...summarize(other, mode) } };
  });
}

type PackedScores = Readonly<Record<keyof AnswerScores, readonly (number | null)[]>>;

/** An instance as JSON has it, which has neither typed arrays nor NaN. */
function packed({ free, forced, ...rest }: Instance) {
  const lists = ({ score, official, soft }: AnswerScores): PackedScores => {
    const list = (values: Float64Array) => Array.from(values, (value) => (Number.isNaN(value) ? null : value));
    return { score: list(score), official: list(official), soft: list(soft) };
  };
  return { ...rest, free: lists(free), forced: lists(forced) };
}

function unpacked({ free, forced, ...rest }: ReturnType<typeof packed>): Instance {
  const arrays = ({ score, official, soft }: PackedScores): AnswerScores => {
    const array = (values: readonly (number | null)[]) => Float64Array.from(values, (value) => value ?? Number.NaN);
    return { score: array(score), official: array(official), soft: array(soft) };
  };
  return { ...rest, free: arrays(free), forced: arrays(forced) };
}

interface Effect {
  readonly none: number;
  /** How much the loss rises without the top heads, in nats per token. */
  readonly rise: number;
  readonly randomRises: readonly number[];
}

function isCausal({ rise, randomRises }: Effect): boolean {
  return rise > 0 && rise >= 4 * mean(randomRises);
}

/** What masks do to needles that took no part in the scores, and to ordinary text, in other books. */
async function causal(bench: Workbench) {
  const model = await bench.model();
  const { summary } = await scores(bench);
  const ranking = ranked(rowsOf(summary.scores, model.arch.heads));
  return bench.once('masks', async () => {
    const { needles: needleCount, texts } = sizes[bench.scale];
    const random = Array.from({ length: draws }, (_, seed) => drawHeads(ranking, ranking.slice(0, few), spared, seed));
    const masks = [...doses.map((dose) => ranking.slice(0, dose)), ...random];
    const asked = [...instances(model, { count: needleCount, lengths, haystack: 'dracula', seed: 3 })];
    const read = Array.from({ length: texts }, (_, i) =>
      perplexity(model, { length: 512, scored: 128, text: 'state-of-the-union-1904' }, i),
    );
    const run = runner(bench, model, { masks, total: 2 * (asked.length + read.length) });
    const zeroNeedles = await run(asked, 'zero', true);
    const [zeroText, uniformNeedles, uniformText] = [
      await run(read, 'zero'),
      await run(asked, 'uniform'),
      await run(read, 'uniform'),
    ];
    const at = doses.indexOf(few);
    return {
      heads: headList(ranking.slice(0, few)),
      dose: zeroNeedles.losses.slice(0, doses.length),
      zero: { needles: effect(zeroNeedles.losses, at), text: effect(zeroText.losses, at) },
      uniform: { needles: effect(uniformNeedles.losses, at), text: effect(uniformText.losses, at) },
      recall: {
        instances: asked.length,
        all: zeroNeedles.exact[0] ?? 0,
        withoutTop: zeroNeedles.exact[at] ?? 0,
        withoutRandom: zeroNeedles.exact.slice(doses.length),
      },
    };
  });
}

/** Runs cases under every mask: mean losses, and counts of exact answers where they are asked for. */
function runner(
  bench: Workbench,
  model: Model,
  { masks, total }: { readonly masks: readonly (readonly HeadName[])[]; readonly total: number },
) {
  let done = 0;
  return async (cases: readonly TaskCase[], mode: 'zero' | 'uniform', answers = false) => {
    const found: MaskedCase[] = [];
    for (const one of cases) {
      bench.progress(`heads masked (${mode})`, done++ / total);
      const work = async () => ({ ...(await masked(model, one, masks, { mode, answers, signal: bench.signal })) });
      found.push(await bench.once(`masked (${mode}) ${one.id}`, work));
    }
    return {
      losses: masks.map((_, i) => mean(found.map(({ losses }) => losses[i] ?? Number.NaN))),
      exact: masks.map((_, i) => found.filter(({ exact }) => exact?.[i]).length),
    };
  };
}

/** Losses without mask, with the doses and with random heads, as rises over the first. */
function effect(losses: readonly number[], at: number) {
  const none = losses[0] ?? Number.NaN;
  const rises = losses.map((loss) => loss - none);
  return { none, rise: rises[at] ?? Number.NaN, randomRises: rises.slice(doses.length) };
}
