import { type Claim, mean, median, repeatedPassage, type Workbench } from '@loci/evaluate';
import { pageBytes, pageSlots } from '@loci/kernels';
import type { Keep, Model, OpenOptions } from 'loci';
import { sizeOf } from '../heads/choose.ts';
import { headPlan, topKvHeads } from '../heads/plan.ts';
import { largestGap, lastLogits } from '../keeping/logits.ts';
import { answerLosses } from '../keeping/one-prompt.ts';
import { duoAttention } from './keep.ts';

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
    '3',
    'Small model: recall with the gates ≥ 95 % of dense, random heads at most half of that, the rest near chance',
  ),
  later(
    '4',
    'At least 60 % of the gates end outside (0.2, 0.8); λ = 0 leaves all at 1, λ = 5 drives the mean below 0.2',
  ),
  {
    id: '5',
    claimed:
      'Half of the heads streaming by gate, S = 16, R = 128, repeated passage: gap ≤ 0.4 × that of random heads (10 draws) and ≤ 0.25 × that of all streaming',
    async run(workbench) {
      const model = await workbench.model();
      const gaps = await workbench.once('gaps', () => planGaps(model, workbench));
      const random = mean([...gaps.random]);
      return {
        measured: {
          ...{ plan: 'induction', prefill: 'dense', dense: gaps.dense, byInduction: gaps.plan, random },
          ...{ inverted: gaps.inverted, allStreaming: gaps.all },
          ...{ ofRandom: gaps.plan / random, ofAllStreaming: gaps.plan / gaps.all },
        },
        holds: false,
        note: `${waits}; measured with induction scores in their place, which ${
          gaps.plan <= 0.4 * random && gaps.plan <= 0.25 * gaps.all ? 'meet' : 'do not meet'
        } both bounds. The prompt is read with everything, so that one reading serves all plans; no plan knows the text`,
      };
    },
  },
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
      const { dense, streaming, short } = await workbench.once('milliseconds', async () => {
        workbench.progress('decoding behind 4,096 tokens');
        return decodeTimes(model, n, { dense: {}, streaming: { keep: duoAttention.with(settings) } });
      });
      const share = formulaBytes(model, settings, n) / formulaBytes(model, { ...settings, sparsity: 0 }, n);
      // What a token costs without its attention is what it costs behind a text of few tokens.
      const measured = { dense, streaming, short, share, attention: (streaming - short) / (dense - short) };
      return {
        measured,
        holds: Math.abs(measured.attention / share - 1) <= 0.25,
        note: 'milliseconds per token less those behind 64 tokens, which is all but attention; medians',
      };
    },
  },
  {
    id: '7',
    claimed: 'With and without heads put in order logits agree to 1e-5',
    run: async () => ({
      measured: null,
      holds: false,
      note: 'Heads are not put in another order here: every head has its page list, so that a plan needs none. Waits for weights that can be permuted when they are loaded',
    }),
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

interface Gaps {
  readonly dense: number;
  readonly plan: number;
  readonly inverted: number;
  readonly all: number;
  readonly random: readonly number[];
  readonly [name: string]: number | readonly number[];
}

/** Losses of repeated passages above dense ones, by plan. */
async function planGaps(model: Model, workbench: Workbench): Promise<Gaps> {
  const keeps = [
    undefined,
    duoAttention.with({ ...small, prefill: 'dense' }),
    duoAttention.with({ ...small, prefill: 'dense', protect: 'lowest' }),
    duoAttention.with({ ...small, prefill: 'dense', sparsity: 1 }),
    ...Array.from({ length: 10 }, (_, seed) =>
      duoAttention.with({ ...small, prefill: 'dense', protect: 'random', seed }),
    ),
  ];
  const count = workbench.scale === 'quick' ? 1 : 6;
  const rows: number[][] = [];
  for (let i = 0; i < count; i++) {
    const one = repeatedPassage(model, { length: 1200, passage: 200 }, i);
    const report = (share: number) => workbench.progress('passages by plan', (i + share) / count);
    rows.push((await answerLosses(model, one, keeps, {}, report)).map((losses) => mean([...losses])));
  }
  const [dense = Number.NaN, ...others] = keeps.map((_, i) => mean(rows.map((row) => row[i] ?? Number.NaN)));
  const [plan = Number.NaN, inverted = Number.NaN, all = Number.NaN, ...random] = others.map((loss) => loss - dense);
  return { dense, plan, inverted, all, random };
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

async function bytesOf(model: Model, keep: Keep, n: number): Promise<number> {
  const session = await model.open({ keep });
  try {
    await session.prefill({ ids: words(model, n) });
    return session.kvBytes;
  } finally {
    session.close();
  }
}

/** Median milliseconds of a token behind n tokens, by what the session was opened with, and behind few tokens. */
async function decodeTimes(model: Model, n: number, by: { dense: OpenOptions; streaming: OpenOptions }) {
  const rounds = 3;
  const text = words(model, n);
  const timed = async (options: OpenOptions, ids: Int32Array) => {
    const session = await model.open(options);
    await session.prefill({ ids });
    return {
      async next() {
        const fork = session.fork();
        try {
          return (await fork.complete({ ids }, { maxTokens: 24, ignoreEnd: true })).decodeMsPerToken;
        } finally {
          fork.close();
        }
      },
      close: () => session.close(),
    };
  };
  const sessions = {
    dense: await timed(by.dense, text),
    streaming: await timed(by.streaming, text),
    short: await timed(by.dense, text.subarray(0, 64)),
  };
  const found = { dense: [] as number[], streaming: [] as number[], short: [] as number[] };
  // One after the other in every round: what else the machine does meets all of them.
  for (let i = 0; i < rounds; i++) {
    found.dense.push(await sessions.dense.next());
    found.streaming.push(await sessions.streaming.next());
    found.short.push(await sessions.short.next());
  }
  for (const session of Object.values(sessions)) session.close();
  return { dense: median(found.dense), streaming: median(found.streaming), short: median(found.short) };
}
