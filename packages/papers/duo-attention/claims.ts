import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Claim, mean, median, passkey, recall, repeatedPassage, type Workbench } from '@loci/evaluate';
import { pageBytes, pageSlots } from '@loci/kernels';
import { type Keep, loadModel, type Model, type OpenOptions, Profile, type Session } from 'loci';
import { attentionMs } from '../attending/attention-time.ts';
import { namedScores } from '../heads/bundled.ts';
import { kvScores, sizeOf } from '../heads/choose.ts';
import { headPlan, topKvHeads } from '../heads/plan.ts';
import { foreign, type HeadTable } from '../heads/scores.ts';
import { largestGap, lastLogits } from '../keeping/logits.ts';
import { answerLosses, answersToQuestion } from '../keeping/one-prompt.ts';
import { inSession } from '../methods/in-session.ts';
import { duoAttention } from './keep.ts';
import { wholeFirst, withPermutedHeads } from './permuted.ts';

const small = { sinks: 16, recent: 128 } as const;
const waits = 'waits for the laboratory: gates are not trained yet';

export const claims: readonly Claim[] = [
  {
    id: '1a',
    claimed:
      'Sparsity 0, and S + R ≥ n: logits dense to 1e-4. Chunks of 1 equal the mask with R + 1 to 1e-4, chunks of n or more dense prefill',
    async run(workbench) {
      const model = await workbench.model();
      const text = words(model, 200);
      const prompt = 190;
      const last = text.subarray(0, 48);
      const logits = (keep?: Keep) => lastLogits(model, { precision: 'float32', ...(keep && { keep }) }, text, prompt);
      const gap = async (a: Keep, b?: Keep) => largestGap(await logits(a), await logits(b));
      const tight = { sinks: 4, recent: 32, sparsity: 1 } as const;
      const measured = {
        allRetrieve: await gap(duoAttention.with({ ...tight, sparsity: 0 })),
        allSeen: await gap(duoAttention.with({ ...tight, recent: 200 })),
        chunksOfOne: relativeGap(
          await promptLogits(model, duoAttention.with({ ...tight, prefill: 'chunked', chunk: 1 }), last),
          await promptLogits(model, duoAttention.with({ ...tight, chunk: 1, recent: 33 }), last),
        ),
        oneChunk: await gap(
          duoAttention.with({ ...tight, prefill: 'chunked', chunk: 200 }),
          duoAttention.with({ ...tight, prefill: 'dense' }),
        ),
        streaming: await gap(duoAttention.with(tight)),
      };
      const { streaming, ...same } = measured;
      return {
        measured,
        holds: Math.max(...Object.values(same)) <= 1e-4 && streaming > 1e-2,
        note: 'chunks of one are compared at the end of the prompt, both read token by token, and relative to the largest logit: slots lie in other pages, so that float32 sums round otherwise through 30 layers; streaming shows that the cut is in force: it must differ',
      };
    },
  },
  later('1b', 'All gates 1: the mixed stream equals the teacher to 1e-5, distillation is 0, and so is its gradient'),
  later('2', 'The gradient of the gates agrees with central differences to 1e-2, with both sources of full attention'),
  later(
    '3a',
    'Small model: recall with the gates ≥ 95 % of dense, random heads at most half of that, the rest near chance',
  ),
  recallClaim('3b', 'retrieval-head'),
  recallClaim('3c', 'induction'),
  later(
    '4',
    'At least 60 % of the gates end outside (0.2, 0.8); λ = 0 leaves all at 1, λ = 5 drives the mean below 0.2',
  ),
  later(
    '5a',
    'Half of the heads streaming by gate, S = 16, R = 128, repeated passage: gap ≤ 0.4 × that of random heads (10 draws) and ≤ 0.25 × that of all streaming',
  ),
  passageClaim('5b', 'induction'),
  passageClaim('5c', 'retrieval-head'),
  {
    id: '6a',
    claimed: 'Bytes of the cache equal r n + (1 − r)(S + R) slots per head to 1 %',
    async run(workbench) {
      const model = await workbench.model();
      const n = 4096;
      const rows = await workbench.once('bytes', async () => {
        const found: { sparsity: number; bytes: number; ofFormula: number }[] = [];
        for (const sparsity of [0.5, 0.75]) {
          workbench.progress('reading 4,096 tokens', sparsity);
          const settings = { sinks: 64, recent: 256, sparsity } as const;
          const bytes = await bytesOf(model, duoAttention.with(settings), n);
          found.push({ sparsity, bytes, ofFormula: bytes / formulaBytes(model, settings, n) });
        }
        return found;
      });
      return { measured: { n, rows }, holds: rows.every(({ ofFormula }) => Math.abs(ofFormula - 1) <= 0.01) };
    },
  },
  {
    id: '6b',
    claimed: 'Time of attention per decoded token at n = 4096 is within 25 % of (r n + (1 − r)(S + R)) / n of dense',
    async run(workbench) {
      const model = await workbench.model();
      const n = 4096;
      const settings = { sinks: 64, recent: 256, sparsity: 0.5 } as const;
      const { dense, streaming } = await workbench.once('milliseconds of attention', () =>
        attentionTimes(workbench, n, { dense: {}, streaming: { keep: duoAttention.with(settings) } }),
      );
      const share = formulaBytes(model, settings, n) / formulaBytes(model, { ...settings, sparsity: 0 }, n);
      const measured = { dense, streaming, share, time: streaming / dense };
      return {
        measured,
        holds: Math.abs(measured.time / share - 1) <= 0.25,
        note: 'milliseconds of the attention of all layers in a step of decode, medians of steps of both that alternate, on one thread',
      };
    },
  },
  {
    id: '7',
    claimed: 'With and without heads put in order logits agree to 1e-5',
    async run(workbench) {
      const model = await workbench.model();
      const measured = await workbench.once('permuted', () => permutedGaps(model, workbench));
      return {
        measured,
        holds: Math.max(measured.dense, measured.streaming) <= 1e-5 && measured.wrongPlan > 1e-3,
        note: 'of the largest logit: columns of the output matrix are added in another order, which float32 shows. The copy of the model has the heads of every layer that keep everything first, and its plan says so; wrongPlan is the copy under the plan of the original. What the order is for in the official code, one tensor of whole heads and one of streaming ones, does not arise here: every head has a page list of its own, so that a plan needs no order',
      };
    },
  },
];

function relativeGap(a: Float32Array, b: Float32Array): number {
  return largestGap(a, b) / Math.max(...b.map(Math.abs));
}

/** Logits behind a prompt. */
function promptLogits(model: Model, keep: Keep, ids: Int32Array): Promise<Float32Array> {
  return lastLogits(model, { precision: 'float32', keep }, ids, ids.length);
}

function later(id: string, claimed: string): Claim {
  return { id, claimed, run: async () => ({ measured: null, holds: false, note: waits }) };
}

/** Item 3 with scores in place of gates, and the bundled model in place of a small one. */
function recallClaim(id: string, plan: string): Claim {
  return {
    id,
    claimed: `By ${plan} scores, half of the heads streaming, S = 16, R = 128, a pass key beyond the window: recall ≥ 95 % of dense; all streaming ≤ 10 %, the lowest heads ≤ 15 %, random heads (20 draws) at most half of the plan`,
    async run(workbench) {
      const model = await workbench.model();
      const found = await workbench.once(`recall by ${plan}`, () => planRecall(model, workbench, plan));
      const { random, fifthRandom, ...rest } = found;
      const byChance = mean([...random]);
      return {
        measured: { ...rest, random: byChance, fifthRandom: mean([...fifthRandom]) },
        holds:
          rest.plan >= 0.95 * rest.dense &&
          rest.allStreaming <= 0.1 &&
          rest.inverted <= 0.15 &&
          byChance <= 0.5 * rest.plan,
        note: 'the number cannot be guessed, so that chance is 0. Plans are query-agnostic: they choose when the text has been read, before the question, and do not know the text. fifthStreaming and fifthRandom (5 draws) are with four fifths of the heads whole: what the number needs are more heads than half of them, and which ones they are the scores do say',
      };
    },
  };
}

/** Item 5 with scores in place of gates. */
function passageClaim(id: string, plan: string): Claim {
  return {
    id,
    claimed: `By ${plan} scores in place of gates: the same bounds`,
    async run(workbench) {
      const model = await workbench.model();
      const gaps = await workbench.once(`gaps by ${plan}`, () => planGaps(model, workbench, plan));
      const random = mean([...gaps.random]);
      return {
        measured: {
          ...{ dense: gaps.dense, plan: gaps.plan, random, inverted: gaps.inverted, allStreaming: gaps.allStreaming },
          ...{ ofRandom: gaps.plan / random, ofAllStreaming: gaps.plan / gaps.allStreaming },
        },
        holds: gaps.plan <= 0.4 * random && gaps.plan <= 0.25 * gaps.allStreaming,
        note: 'The prompt is read with everything, so that one reading serves all plans; no plan knows the text',
      };
    },
  };
}

/** What plans of one share of heads give, by what they keep whole; random ones by their seed. */
interface ByPlan {
  readonly dense: number;
  readonly plan: number;
  readonly inverted: number;
  readonly allStreaming: number;
  readonly random: readonly number[];
  readonly [name: string]: number | readonly number[];
}

/** Half of the heads by scores, the other half, none, and so many draws by chance. */
function plansOf(plan: string, draws: number): readonly (Keep | undefined)[] {
  const options = { ...small, plan, prefill: 'dense' } as const;
  return [
    undefined,
    duoAttention.with(options),
    duoAttention.with({ ...options, protect: 'lowest' }),
    duoAttention.with({ ...options, sparsity: 1 }),
    ...Array.from({ length: draws }, (_, seed) => duoAttention.with({ ...options, protect: 'random', seed })),
  ];
}

/** Means over cases of what was measured for each of `plansOf`. */
function byPlan(rows: readonly (readonly number[])[]): ByPlan {
  const [dense = Number.NaN, plan = Number.NaN, inverted = Number.NaN, allStreaming = Number.NaN, ...random] =
    means(rows);
  return { dense, plan, inverted, allStreaming, random };
}

function means(rows: readonly (readonly number[])[]): readonly number[] {
  return rows[0]?.map((_, i) => mean(rows.map((row) => row[i] ?? Number.NaN))) ?? [];
}

/** Losses of repeated passages above dense ones. */
async function planGaps(model: Model, workbench: Workbench, plan: string): Promise<ByPlan> {
  const count = workbench.scale === 'quick' ? 1 : 6;
  const rows: number[][] = [];
  for (let i = 0; i < count; i++) {
    const one = repeatedPassage(model, { length: 1200, passage: 200 }, i);
    const report = (share: number) => workbench.progress('passages by plan', (i + share) / count);
    rows.push((await answerLosses(model, one, plansOf(plan, 10), {}, report)).map((losses) => mean([...losses])));
  }
  const { dense, random, ...others } = byPlan(rows);
  return {
    dense,
    plan: others.plan - dense,
    inverted: others.inverted - dense,
    allStreaming: others.allStreaming - dense,
    random: random.map((loss) => loss - dense),
  };
}

interface Recall extends ByPlan {
  /** With a fifth of the heads streaming only: by the plan, and by chance. */
  readonly fifthStreaming: number;
  readonly fifthRandom: readonly number[];
}

/** Shares of pass keys that are found. */
async function planRecall(model: Model, workbench: Workbench, plan: string): Promise<Recall> {
  const count = workbench.scale === 'quick' ? 6 : 40;
  const halves = plansOf(plan, 20);
  const options = { ...small, plan, prefill: 'dense', sparsity: 0.2 } as const;
  const fifths = [
    duoAttention.with(options),
    ...Array.from({ length: 5 }, (_, seed) => duoAttention.with({ ...options, protect: 'random', seed })),
  ];
  const rows: number[][] = [];
  for (let i = 0; i < count; i++) {
    workbench.signal.throwIfAborted();
    const one = passkey(model, { length: 768, depth: [0.1, 0.6] }, i);
    const report = (share: number) => workbench.progress('pass keys by plan', (i + share) / count);
    const answers = await answersToQuestion(model, one, [...halves, ...fifths], {}, report);
    rows.push(answers.map((answer) => recall(answer, one.accepted)));
  }
  const [fifthStreaming = Number.NaN, ...fifthRandom] = means(rows.map((row) => row.slice(halves.length)));
  return { ...byPlan(rows.map((row) => row.slice(0, halves.length))), fifthStreaming, fifthRandom };
}

/** How far logits of a copy of the model with its heads in another order are from the model's, of the largest. */
async function permutedGaps(model: Model, workbench: Workbench) {
  const { kvHeads } = model.arch;
  const scores = namedScores('induction').find((one) => foreign(one, model) === undefined);
  if (!scores) throw new RangeError(`there are no induction scores of ${model.name}`);
  const set = topKvHeads(scores, scores.scores, 0.5, kvHeads);
  const order = wholeFirst(set);
  const gates = kvScores(scores.scores, scores.of, kvHeads);
  const text = words(model, 400);
  const logits = (of: Model, keep?: Keep) => lastLogits(of, { precision: 'float32', ...(keep && { keep }) }, text, 380);
  const folder = await mkdtemp(join(tmpdir(), 'loci-plans-'));
  /** The method with a plan of its own for a model. */
  const withPlan = async (of: Model, rows: HeadTable) => {
    const path = join(folder, `${of.fingerprint}-${rows === gates}.json`);
    const facts = { name: of.name, fingerprint: of.fingerprint };
    const made = { method: 'permuted', settings: {}, seed: 0 };
    await writeFile(path, JSON.stringify({ model: facts, made, of: 'kvHeads', scores: rows }));
    return duoAttention.with({ ...small, sinks: 4, recent: 32, plan: path });
  };
  workbench.progress('reading with heads in another order');
  try {
    const dense = await logits(model);
    const streaming = await logits(model, await withPlan(model, gates));
    const moved = await withPermutedHeads(model, order, async (copy) => {
      const permuted = gates.map((row, layer) => (order[layer] ?? []).map((head) => row[head] ?? Number.NaN));
      return {
        headsMoved: order.flat().filter((head, i) => head !== i % kvHeads).length,
        dense: relativeGap(await logits(copy), dense),
        streaming: relativeGap(await logits(copy, await withPlan(copy, permuted)), streaming),
        wrongPlan: relativeGap(await logits(copy, await withPlan(copy, gates)), streaming),
      };
    });
    if (!moved) throw new RangeError(`heads of ${model.name} cannot be moved in its file`);
    return moved;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Bytes by the formula of the paper: whole heads hold n slots, the others S + R. */
function formulaBytes(
  model: Model,
  { sparsity, sinks, recent }: { sparsity: number; sinks: number; recent: number },
  n: number,
): number {
  const plan = headPlan({ plan: 'induction', protect: 'highest', seed: 0 }, (scores, kvHeads) =>
    topKvHeads(scores, scores.scores, 1 - sparsity, kvHeads),
  ).of(factsOf(model));
  const whole = sizeOf(plan);
  const slots = whole * n + (plan.flat().length - whole) * Math.min(n, sinks + recent);
  return (slots * pageBytes('f16', model.arch.headSize)) / pageSlots;
}

function factsOf({ name, arch, fingerprint }: Model) {
  return { name, arch, fingerprint };
}

/** The first tokens of a passage of a book. */
function words(model: Model, n: number): Int32Array {
  return repeatedPassage(model, { length: n, passage: 1 }, 0).context;
}

function bytesOf(model: Model, keep: Keep, n: number): Promise<number> {
  return inSession(model, { keep }, async (session) => {
    await session.prefill({ ids: words(model, n) });
    return session.kvBytes;
  });
}

/** Median milliseconds of the attention of all layers in a step of decode behind n tokens. */
async function attentionTimes(
  workbench: Workbench,
  n: number,
  by: Readonly<Record<'dense' | 'streaming', OpenOptions>>,
) {
  const profile = new Profile();
  const model = await loadModel(undefined, { threads: 1, observer: profile.observer, signal: workbench.signal });
  try {
    const ids = words(model, n);
    const opened = async (options: OpenOptions) => {
      workbench.progress('reading 4,096 tokens');
      const session = await model.open(options);
      await session.prefill({ ids });
      return session;
    };
    const sessions = { dense: await opened(by.dense), streaming: await opened(by.streaming) };
    const step = async (session: Session) => {
      const fork = session.fork();
      try {
        // The first token comes from the prompt's logits, or from its last token read anew.
        profile.keys = n;
        await fork.complete({ ids }, { maxTokens: 4, ignoreEnd: true });
      } finally {
        profile.keys = undefined;
        fork.close();
      }
      return attentionMs(profile.take().kernels);
    };
    const found = { dense: [] as number[], streaming: [] as number[] };
    for (let i = 0; i < 9; i++) {
      found.dense.push(await step(sessions.dense));
      found.streaming.push(await step(sessions.streaming));
    }
    sessions.dense.close();
    sessions.streaming.close();
    return { dense: median(found.dense), streaming: median(found.streaming) };
  } finally {
    await model.close();
  }
}
