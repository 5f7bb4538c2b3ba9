import { type Claim, keyValue, mean, needle, type TaskCase, type Workbench } from '@loci/evaluate';
import { loadModel, type Model, Profile, type Session } from 'loci';
import { parseMethod } from '../registry.ts';
import { HitProbe } from './hits.ts';
import { compareWithOracle } from './oracle.ts';

export const claims: readonly Claim[] = [
  {
    id: '1a',
    claimed: 'with a budget of the whole prompt, and of more, logits equal dense ones to 1e-4',
    async run(workbench) {
      const prompt = { ids: promptOf(needle(await workbench.model(), { length: 600 }, 0)) };
      const next = { ids: [...prompt.ids, 30, 31] };
      const logits = async (keep?: string) => {
        const session = await (await workbench.model()).open(keepOf(keep));
        try {
          await session.prefill(prompt);
          return (await session.prefill(next)).logits;
        } finally {
          session.close();
        }
      };
      const dense = await logits();
      const gaps: Record<string, number> = {};
      for (const budget of [prompt.ids.length, prompt.ids.length + 100]) {
        const kept = await logits(`snapkv:budget=${budget},window=2`);
        gaps[budget] = kept.reduce((most, x, i) => Math.max(most, Math.abs(x - (dense[i] ?? Number.NaN))), 0);
      }
      return {
        measured: { promptTokens: prompt.ids.length, largestGap: gaps },
        holds: Object.values(gaps).every((gap) => gap <= 1e-4),
        note: 'SmolLM2; Gemma is not bundled. A window of 2, so that both read the same rows at a time. Slots lie in the order of their positions, so that there is no other order.',
      };
    },
  },
  {
    id: '1b',
    claimed: 'a window of one less than the budget keeps exactly one voted slot',
    async run(workbench) {
      const prompt = { ids: promptOf(needle(await workbench.model(), { length: 600 }, 0)) };
      const first = prompt.ids.length - 32;
      const kept = await keptOf(workbench, prompt.ids, 'snapkv:budget=33,window=32');
      const voted = kept.flat().map((positions) => positions.filter((position) => position < first).length);
      const window = kept.flat().map((positions) => positions.filter((position) => position >= first).length);
      return {
        measured: { voted: [...new Set(voted)], window: [...new Set(window)] },
        holds: voted.every((count) => count === 1) && window.every((count) => count === 32),
      };
    },
  },
  {
    id: '2',
    claimed: 'for three shapes of random numbers the kept sets are those of the official class and of kvpress',
    async run() {
      const measured = compareWithOracle();
      return {
        measured,
        holds: measured.every(
          ({ official, kvpress }) =>
            kvpress.wrong + kvpress.ties === 0 && official.every((one) => one.wrong === 0 && one.gatheredGap <= 1e-6),
        ),
        note:
          'Ties: with max pooling neighbours share a score; where it is the lowest that is chosen, the official class takes any ' +
          'of them, and we the first. kvpress pools by averages only.',
      };
    },
  },
  {
    id: '3',
    claimed:
      'needles in 2,048 tokens, 256 kept: gap ≤ 0.35 of sinks and recent, ≤ 0.5 of random positions; query-aware',
    async run(workbench) {
      const methods = {
        dense: undefined,
        snapkv: 'snapkv:budget=256,window=32,kernel=7,pooling=max',
        recent: 'streaming-llm:sinks=4,recent=252',
        random: 'random:budget=256,recent=32',
      };
      const losses = await lossesOf(
        workbench,
        'item 3',
        workbench.scale === 'full' ? 48 : 6,
        methods,
        (model, number) => needle(model, { length: 2048, depth: [0, 0.74] }, number),
      );
      const gap = (name: keyof typeof methods) => mean(losses[name] ?? []) - mean(losses['dense'] ?? []);
      const measured = {
        prompts: losses['dense']?.length ?? 0,
        denseNll: mean(losses['dense'] ?? []),
        ...{ snapkv: gap('snapkv'), recent: gap('recent'), random: gap('random') },
      };
      return {
        measured,
        holds:
          measured.denseNll <= 1 &&
          measured.snapkv <= 0.35 * measured.recent &&
          measured.snapkv <= 0.5 * measured.random,
        note: 'StreamingLLM reads its prompt under its own sight; the other methods read it densely.',
      };
    },
  },
  {
    id: '4',
    claimed:
      '5 % of the positions by vote have ≥ 40 % of those that generated tokens look at, evenly spread ones < 10 %',
    async run(workbench) {
      const rates = await workbench.once('item 4', async () => {
        const model = await workbench.model();
        const ids = promptOf(needle(model, { length: 1000 }, 0));
        const { signal } = workbench;
        workbench.progress('generating 128 tokens');
        const generating = await model.open();
        const generated = await generating.complete({ ids }, { maxTokens: 129, ignoreEnd: true, signal });
        generating.close();
        workbench.progress('looking at what they look at');
        const probe = new HitProbe();
        const session = await model.open({ probes: [probe] });
        await session.scoreContinuations({ ids }, [generated.ids], { signal });
        session.close();
        const seen = probe.found.flat().filter(({ important }) => important > 0);
        return {
          voted: mean(seen.map(({ hits, important }) => hits / important)),
          spread: mean(seen.map(({ drawn, important }) => drawn / important)),
          windows: seen.length,
        };
      });
      return { measured: rates, holds: rates.voted >= 0.4 && rates.spread < 0.1, note: 'without positions 0 to 3' };
    },
  },
  {
    id: '5',
    claimed:
      'with the question in the window the best tenth of the heads keep ≥ 80 % of a needle, without it 20 % less',
    async run(workbench) {
      const prompts = workbench.scale === 'full' ? 24 : 4;
      const shares: Record<string, readonly (readonly number[])[]> = {};
      for (const keep of ['snapkv:budget=256', 'knorm:budget=256']) {
        for (const mode of ['with', 'without'] as const) {
          const found: (readonly number[])[] = [];
          for (let number = 0; number < prompts; number++) {
            workbench.progress(`${keep}, ${mode} the question`, number / prompts);
            const share = async () => {
              const one = needle(await workbench.model(), { length: 2048, depth: [0, 0.74] }, number);
              return needleShares(workbench, one, mode === 'with' ? promptOf(one) : [...one.context], keep);
            };
            found.push(await workbench.once(`item 5 ${keep} ${mode} ${number}`, share));
          }
          shares[`${keep} ${mode}`] = found;
        }
      }
      const aware = shares['snapkv:budget=256 with'] ?? [];
      const heads = aware[0]?.length ?? 0;
      const share = (of: string) =>
        mean(
          (shares[of] ?? []).map((found, number) => {
            const others = aware.filter((_, other) => other !== number);
            const worth = Array.from({ length: heads }, (_, head) => mean(others.map((one) => one[head] ?? 0)));
            const best = [...worth.keys()].sort((a, b) => (worth[b] ?? 0) - (worth[a] ?? 0)).slice(0, heads / 10);
            return mean(best.map((head) => found[head] ?? 0));
          }),
        );
      const measured = {
        prompts,
        ...{ with: share('snapkv:budget=256 with'), without: share('snapkv:budget=256 without') },
        ...{ knormWith: share('knorm:budget=256 with'), knormWithout: share('knorm:budget=256 without') },
      };
      return { measured, holds: measured.with >= 0.8 && measured.with - measured.without >= 0.2 };
    },
  },
  {
    id: '6a',
    claimed: 'max pooling over 7 keeps runs at least twice as long as no pooling does',
    async run(workbench) {
      const one = needle(await workbench.model(), { length: 2048 }, 0);
      const ids = promptOf(one);
      const run = async (kernel: number) => {
        const kept = await keptOf(workbench, ids, `snapkv:budget=256,kernel=${kernel}`);
        return mean(kept.flat().map((positions) => meanRun(positions.filter((at) => at < ids.length - 32))));
      };
      const measured = { pooled: await run(7), single: await run(1) };
      return { measured, holds: measured.pooled >= 2 * measured.single };
    },
  },
  {
    id: '6b',
    claimed: 'on values of five digits the gap with pooling is not larger than without; query-aware',
    async run(workbench) {
      const methods = {
        pooled: 'snapkv:budget=256,kernel=7',
        single: 'snapkv:budget=256,kernel=1',
      };
      const losses = await lossesOf(
        workbench,
        'item 6',
        workbench.scale === 'full' ? 48 : 6,
        methods,
        (model, number) => keyValue(model, { length: 2048 }, number),
      );
      const measured = { pooled: mean(losses['pooled'] ?? []), single: mean(losses['single'] ?? []) };
      return { measured, holds: measured.pooled <= measured.single, note: 'mean losses: the dense loss is the same' };
    },
  },
  {
    id: '7',
    claimed:
      'at 4,096 tokens with 256 kept, heads hold 256 + t entries, and attention takes ≤ 0.4 of the dense time per step',
    async run(workbench) {
      const { signal } = workbench;
      // A model of its own: the profile sees every program, which nothing else should pay for.
      const profile = new Profile();
      const model = await loadModel(undefined, { observer: profile.observer });
      try {
        const prompt = { ids: promptOf(needle(model, { length: 4096 }, 0)) };
        const steps = 8;
        const attention = async (session: Session) => {
          workbench.progress('attention of single steps');
          await session.prefill(prompt, { signal });
          profile.keys = session.kept[0]?.[0]?.length ?? 0;
          await session.complete(prompt, { maxTokens: steps + 1, ignoreEnd: true });
          profile.keys = undefined;
          return profile.take().kernels.find(({ kernel }) => kernel === 'attend')?.ms ?? Number.NaN;
        };
        const dense = await model.open();
        const denseMs = await attention(dense);
        const kept = dense.fork(keepOf('snapkv:budget=256'));
        dense.close();
        const keptMs = await attention(kept);
        const generated = kept.ids.length - prompt.ids.length;
        const entries = [...new Set(kept.kept.flat().map(({ length }) => length))];
        kept.close();
        const measured = { generated, entries, denseMs, keptMs, ratio: keptMs / denseMs };
        return {
          measured,
          holds: entries.length === 1 && entries[0] === 256 + generated && measured.ratio <= 0.4,
        };
      } finally {
        await model.close();
      }
    },
  },
];

function promptOf({ context, question }: TaskCase): number[] {
  return [...context, ...question];
}

function keepOf(text: string | undefined) {
  const keep = text === undefined ? undefined : parseMethod.keep(text);
  return keep ? { keep } : {};
}

async function keptOf(
  { model, signal }: Workbench,
  ids: readonly number[],
  keep: string,
): Promise<readonly (readonly number[][])[]> {
  const session = await (await model()).open(keepOf(keep));
  try {
    await session.prefill({ ids }, { signal });
    return session.kept.map((heads) => heads.map((positions) => [...positions]));
  } finally {
    session.close();
  }
}

/** Which share of a case's needle every head keeps of a prompt. */
async function needleShares(workbench: Workbench, { spans }: TaskCase, ids: readonly number[], keep: string) {
  const kept = await keptOf(workbench, ids, keep);
  const tokens = spans
    .filter(({ kind }) => kind === 'needle')
    .flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));
  return kept.flat().map((head) => tokens.filter((token) => head.includes(token)).length / tokens.length);
}

/** Mean loss per answer token of every case, by method. */
async function lossesOf(
  workbench: Workbench,
  name: string,
  prompts: number,
  methods: Readonly<Record<string, string | undefined>>,
  task: (model: Model, number: number) => TaskCase,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const losses: Record<string, number[]> = {};
  const { signal } = workbench;
  const model = await workbench.model();
  for (let number = 0; number < prompts; number++) {
    workbench.progress(name, number / prompts);
    const one = task(model, number);
    for (const [method, keep] of Object.entries(methods)) {
      const loss = await workbench.once(`${name} ${keep ?? 'dense'} ${one.id}`, async () => {
        const session = await model.open(keepOf(keep));
        try {
          const ids = promptOf(one);
          const [found = new Float64Array()] = await session.scoreContinuations({ ids }, [one.answer], { signal });
          return mean([...found]);
        } finally {
          session.close();
        }
      });
      losses[method] = [...(losses[method] ?? []), loss];
    }
  }
  return losses;
}

/** Mean length of runs of consecutive positions. */
function meanRun(positions: readonly number[]): number {
  const runs = positions.filter((position, i) => position !== (positions[i - 1] ?? Number.NaN) + 1).length;
  return positions.length / runs;
}
