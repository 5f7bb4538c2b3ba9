import { type Claim, mean, needle, perplexity, Random, type TaskCase, type Workbench } from '@loci/evaluate';
import { type Attend, dense, type Model, type Session } from 'loci';
import { capture } from '../keeping/captured.ts';
import { dot } from '../keeping/dot.ts';
import { largestGap } from '../keeping/logits.ts';
import { PassingProbe } from '../keeping/passing.ts';
import { slotRange } from '../keeping/rows.ts';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';
import { behindPrompt } from './behind.ts';
import { endToEnd } from './end-to-end.ts';
import { localityRatios } from './locality.ts';
import { massRatio, searched } from './mass.ts';
import { book, type Gains, gainsOf, lengthOf, lossOf } from './texts.ts';

export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed:
      'With k of the whole text every layer gives what dense attention gives, to 1e-4, and next-token logits are equal to 1e-3',
    async run(workbench) {
      const model = await workbench.model();
      const ids = book(model, 638);
      const read = async (attend: Attend) => {
        const probe = new PassingProbe(['attended']);
        const { logits } = await inSession(model, { attend, precision: 'float32', probes: [probe] }, (session) =>
          session.prefill({ ids }),
        );
        return { logits, attended: probe.layers.map((layer) => layer.attended) };
      };
      const all = await read(dense);
      const gaps: Record<string, { attention: number; logits: number }> = {};
      // The first needs no lists at all. The others, whose sinks and window are whole blocks, write lists of everything.
      const blocks = 'hip:k=448,block=64,dense=0';
      for (const text of ['hip:k=1024', blocks, `${blocks},share=group`, 'hip:k=128,block=64,dense=0']) {
        workbench.progress(text);
        const { logits, attended } = await read(parseMethod.attend(text));
        const perLayer = attended.map((rows, layer) =>
          Math.max(...rows.map((row, i) => largestGap(row, all.attended[layer]?.[i] ?? []))),
        );
        gaps[text] = { attention: Math.max(...perLayer), logits: largestGap(logits, all.logits) };
      }
      const { 'hip:k=128,block=64,dense=0': fewer, ...whole } = gaps;
      return {
        measured: { tokens: ids.length, layers: all.attended.length, gaps },
        holds:
          Object.values(whole).every(({ attention, logits }) => attention <= 1e-4 && logits <= 1e-3) &&
          (fewer?.attention ?? 0) > 1e-2,
        note: 'with k = 128, which is less than everything, the same comparison must see a difference',
      };
    },
  },
  {
    id: '2',
    claimed: 'k = 128, 1024 to 8192 keys: each doubling costs the same number of key reads a search, 2k / b_sk to 10 %',
    async run(workbench) {
      const model = await workbench.model();
      const { layers, heads } = model.arch;
      const spec = 'hip:k=128,block=2,beam=1,sinks=0,window=1,dense=0,refresh=1';
      const lengths = [8192, 4096, 2048, 1024];
      const reads = await workbench.once(`key reads ${spec}`, async () => {
        const ids = book(model, 8192);
        return inSession(model, { attend: parseMethod.attend(spec) }, async (session) => {
          workbench.progress('reading 8192 tokens');
          await session.prefill({ ids: ids.slice(0, -1) });
          const found: number[] = [];
          // From the longest down: what is cut off needs no reading, but for one token.
          for (const length of lengths) {
            const before = session.reads.choosing;
            await session.prefill({ ids: ids.slice(0, length) });
            found.push((session.reads.choosing - before) / (layers.length * heads));
          }
          return found;
        });
      });
      const steps = reads.slice(0, -1).map((count, i) => count - (reads[i + 1] ?? Number.NaN));
      return {
        measured: { lengths, readsPerSearch: reads, stepsPerDoubling: steps, expected: 256 },
        holds: steps.every((step) => Math.abs(step / 256 - 1) <= 0.1),
        note: 'counted by the kernel, one row of queries, all layers and heads of SmolLM2',
      };
    },
  },
  {
    id: '3',
    claimed:
      'Synthetic keys, T = 8192, k = T / 16: softmax mass of the selected to that of the true best ≥ 0.94 at rho 0.95, ≥ 0.84 at 0.8, 0.3 to 0.6 on independent keys; random ones ≤ 0.2',
    async run() {
      const [near, far, none] = [0.95, 0.8, 0].map((rho) => localityRatios({ rho, noise: rho === 0 ? 0 : 0.3 }));
      const measured = {
        'rho 0.95': near?.centre ?? Number.NaN,
        'rho 0.8': far?.centre ?? Number.NaN,
        independent: none?.centre ?? Number.NaN,
        random: Math.max(...[near, far, none].map((one) => one?.random ?? Number.NaN)),
      };
      const { independent, random } = measured;
      return {
        measured,
        holds:
          measured['rho 0.95'] >= 0.94 &&
          measured['rho 0.8'] >= 0.84 &&
          independent >= 0.3 &&
          independent <= 0.6 &&
          random <= 0.2,
      };
    },
  },
  {
    id: '4',
    claimed:
      'The centre stands for a stretch better than its first key by ≥ 2 points at rho 0.8; on independent keys worse',
    async run() {
      const near = localityRatios({ rho: 0.8, noise: 0.3 });
      const none = localityRatios({ rho: 0, noise: 0 });
      return {
        measured: { 'rho 0.8': { ...near }, independent: { ...none } },
        holds: near.centre - near.first >= 0.02 && none.first > none.centre,
      };
    },
  },
  {
    id: '5a',
    claimed:
      'Running text, layers from 3 on, k = T / 8: the ratio of item 3 is ≥ 0.75 on average over heads, ≥ 3 × random, never above 1',
    async run(workbench) {
      const model = await workbench.model();
      const length = lengthOf(workbench);
      const measured = await workbench.once(`ratios ${length}`, () => headRatios(model, workbench, length));
      return {
        measured,
        holds: measured.tokens >= 0.75 && measured.tokens >= 3 * measured.random && measured.largest <= 1 + 1e-6,
        note: 'single keys, of those between 4 sinks and a window of 64, of which neither side of the ratio has any; blocks: the same search over blocks of 32 keys, as the method does it by default, but for each head and query by itself',
      };
    },
  },
  {
    id: '5b',
    claimed: 'Running text with k = T / 8: next-token loss ≤ dense + 0.10 nat',
    async run(workbench) {
      const length = lengthOf(workbench);
      const spec = `hip:k=${length / 8}`;
      const texts = workbench.scale === 'quick' ? 2 : 6;
      const losses: { dense: number; hip: number }[] = [];
      for (let number = 0; number < texts; number++) {
        workbench.signal.throwIfAborted();
        workbench.progress('losses of running text', number / texts);
        const of = (attend: string) => lossOf(workbench, number, attend);
        losses.push({ dense: await of('dense'), hip: await of(spec) });
      }
      const gap = mean(losses.map((one) => one.hip - one.dense));
      return {
        measured: { spec, length, texts, losses, gap },
        holds: gap <= 0.1,
        note: 'of all tokens behind the first quarter, prompts read sparsely; texts of two books',
      };
    },
  },
  {
    id: '5c',
    claimed:
      'Needle gain (log-probability of the answer with the needle less that with filler in its place) ≥ 70 % of dense; sinks and window of equal budget ≤ 15 %',
    async run(workbench) {
      const model = await workbench.model();
      const length = lengthOf(workbench);
      const cases = workbench.scale === 'quick' ? 3 : 16;
      const spec = `hip:k=${length / 8}`;
      const near = `streaming-llm:sinks=4,recent=${length / 8 + 156}`;
      const found: Gains[] = [];
      for (let number = 0; number < cases; number++) {
        const gains = await workbench.once(`needle gains ${spec} ${near} ${number}`, async () => {
          workbench.signal.throwIfAborted();
          workbench.progress('needles', number / cases);
          return gainsOf(model, needle(model, { length }, number), spec, near);
        });
        found.push(gains);
      }
      const share = (name: keyof Gains) =>
        mean(found.map((one) => one[name] ?? Number.NaN)) / mean(found.map((one) => one.dense));
      const measured = {
        spec,
        near,
        cases,
        denseGain: mean(found.map((one) => one.dense)),
        ...{ sparse: share('sparse'), decodeAlone: share('decode'), prefillAlone: share('prefill') },
        decodeOfBeam1: share('narrow'),
        window: share('near'),
        found,
      };
      return {
        measured,
        holds: measured.sparse >= 0.7 && measured.window <= 0.15,
        note: 'nats per answer token at random depth; sparse: prompt and answer, decodeAlone: the prompt is read with everything, prefillAlone: only the prompt is read sparsely; decodeOfBeam1: as decodeAlone with the paper’s beam. An isolated needle is the worst case of a greedy search, for a half that was dropped never comes back; a wider beam drops fewer. The window has as many slots as the lists of the method have at most',
      };
    },
  },
  endToEnd,
  {
    id: '6',
    claimed:
      'Decode at T = 8K, k = 512, a search every 8 tokens against every token: key reads fall ≥ 3 ×, loss rises ≤ 0.05 nat',
    async run(workbench) {
      const model = await workbench.model();
      const length = 8000;
      const tokens = workbench.scale === 'quick' ? 64 : 160;
      const paper = 'hip:k=512,block=2,beam=1';
      const specs = ['dense', ...[paper, 'hip:k=512'].flatMap((one) => [`${one},refresh=1`, `${one},refresh=8`])];
      const rows = await workbench.once(`decode ${tokens} ${specs.join(' ')}`, async () => {
        workbench.progress(`reading ${length} tokens`);
        const one = perplexity(model, { length: length + tokens, scored: tokens }, 0);
        return behindPrompt(model, one.context, async (next) => {
          const found: { spec: string; loss: number; reads: number }[] = [];
          for (const spec of specs) {
            workbench.progress(spec, found.length / specs.length);
            const session = next(parseMethod.attend(spec));
            try {
              found.push({ spec, ...(await stepped(model, session, one)) });
            } finally {
              session.close();
            }
          }
          return found;
        });
      });
      const of = (spec: string) => rows.find((row) => row.spec === spec) ?? { loss: Number.NaN, reads: Number.NaN };
      const [every, eighth] = [of(`${paper},refresh=1`), of(`${paper},refresh=8`)];
      const measured = {
        ...{ length, tokens, rows },
        fewerReads: every.reads / eighth.reads,
        lossRise: eighth.loss - every.loss,
        inPages: {
          fewerReads: of('hip:k=512,refresh=1').reads / of('hip:k=512,refresh=8').reads,
          lossRise: of('hip:k=512,refresh=8').loss - of('hip:k=512,refresh=1').loss,
        },
      };
      return {
        measured,
        holds: measured.fewerReads >= 3 && measured.lossRise <= 0.05,
        note: "reads: keys scored in searches and slots attended to, per token and query head of the layers that search (dense attention reads a slot once for three heads). Judged by the paper's blocks of two keys; inPages: the method's default, blocks of a page. The prompt was read with everything",
      };
    },
  },
];

/** Ratios of item 3 over real queries and keys: means over layers from 3 on, heads and some rows. */
async function headRatios(model: Model, workbench: Workbench, length: number) {
  const { heads, kvHeads, headSize: d } = model.arch;
  const [sinks, window, rows] = [4, 64, [5, 26]];
  const ids = book(model, length + 32);
  workbench.progress(`reading ${length} tokens`);
  const layers = await capture(model, ids.slice(0, length), ids.slice(length), rows);
  const random = new Random('drawn keys');
  const found: { tokens: number; blocks: number; random: number }[] = [];
  for (const [index, layer] of layers.entries()) {
    if (index < 3) continue;
    workbench.progress('searching', index / layers.length);
    for (const [i, row] of rows.entries()) {
      for (let head = 0; head < heads; head++) {
        const query = layer.queries.subarray((i * heads + head) * d, (i * heads + head + 1) * d);
        const keys = layer.keys[Math.floor(head / (heads / kvHeads))] ?? new Float32Array();
        const count = length + row + 1 - sinks - window;
        const scores = Float64Array.from({ length: count }, (_, at) => {
          const from = (sinks + at) * d;
          return dot(query, keys.subarray(from, from + d)) / Math.sqrt(d);
        });
        const k = length / 8;
        const drawn = random.shuffled([...slotRange(0, count)]).slice(0, k);
        found.push({
          tokens: massRatio(scores, searched(scores, k)),
          blocks: massRatio(scores, searched(scores, k, { block: 32 })),
          random: massRatio(scores, drawn),
        });
      }
    }
  }
  return {
    length,
    searches: found.length,
    tokens: mean(found.map((one) => one.tokens)),
    blocks: mean(found.map((one) => one.blocks)),
    random: mean(found.map((one) => one.random)),
    largest: Math.max(...found.flatMap((one) => [one.tokens, one.blocks, one.random])),
  };
}

/** Mean loss of an answer that is read token by token, and keys read per token and query head of the layers that search. */
async function stepped(model: Model, session: Session, { context, answer }: TaskCase) {
  const { layers, heads, kvHeads } = model.arch;
  const firstLayers = 3;
  const ids = [...context];
  const losses: number[] = [];
  const before = session.reads;
  // What the first layers read, which is everything.
  let whole = 0;
  for (const [i, next] of answer.entries()) {
    const [loss] = await session.scoreContinuations({ ids }, [[next]]);
    losses.push(loss?.[0] ?? Number.NaN);
    // The last token of the prompt has been read before.
    if (i > 0) whole += firstLayers * kvHeads * ids.length;
    ids.push(next);
  }
  const { slots, choosing } = session.reads;
  const reads = slots - before.slots + choosing - before.choosing - whole;
  return { loss: mean(losses), reads: reads / ((answer.length - 1) * heads * (layers.length - firstLayers)) };
}
