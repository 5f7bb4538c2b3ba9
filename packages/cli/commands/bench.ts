import { kernelBuilds, measureLimits, Profile, type ProgramTime, type Session } from 'loci';
import { type Context, command } from '../command.ts';
import { type Engine, withModel } from '../engine.ts';
import { choice, usage, whole } from '../options/option.ts';
import { modelOptions } from '../options/shared.ts';
import { counted } from '../output/format.ts';
import { limitsText, type Phase, phaseText, rowOf } from '../output/roofline.ts';

const defaultTokens = 512;
const defaultRounds = 5;
/** Tokens of one prefill program: no more than the engine puts into one. */
const prefillTokens = 256;

export const bench = command({
  name: 'bench',
  summary: "Show where the time goes: every kernel against this machine's limits.",
  usage: [''],
  positionals: [],
  options: {
    tokens: whole('N', `Tokens in the cache (default ${defaultTokens})`, { min: 1, max: 2 ** 31 }),
    rounds: whole('N', `Programs to take the median of (default ${defaultRounds})`, { min: 1, max: 1000 }),
    build: choice(kernelBuilds, 'Which build of the kernels (default: the best for the machine)'),
    ...modelOptions,
  },
  async run({ options }, context) {
    const { tokens = defaultTokens, rounds = defaultRounds, build } = options;
    const { reporter, interrupt } = context;
    const profile = new Profile();
    const settings = { observer: profile.observer, ...(build && { build }) };
    const { facts, prefill, decode } = await withModel(
      options,
      context,
      async (engine) => {
        const read = await reader(engine, tokens, context);
        return {
          prefill: await timed(read, profile, { tokens, n: prefillTokens, rounds }),
          decode: await timed(read, profile, { tokens, n: 1, rounds }),
          facts: { ...engine.facts(), build: engine.model.build },
        };
      },
      settings,
    );
    // Behind the model's end, so that the machine does nothing else.
    reporter.begin('', 2000);
    reporter.progress("measuring the machine's limits", "while measuring the machine's limits");
    const limits = await measureLimits(facts.threads, interrupt.signal);
    const phase = (name: Phase['phase'], n: number, { programMs, kernels }: ProgramTime): Phase => ({
      phase: name,
      tokens: n,
      behind: tokens,
      programMs,
      kernels: kernels.map((time) => rowOf(time, limits)),
    });
    const phases = [phase('prefill', prefillTokens, prefill), phase('decode', 1, decode)];
    reporter.document({ limits, phases, ...facts });
    reporter.text(`${[limitsText(limits), ...phases.map(phaseText)].join('\n\n')}\n`);
  },
});

/** Reads `n` tokens that were not read before, behind the same `tokens`, which lie in the cache. */
type Reader = (n: number) => Promise<void>;

async function reader({ model, open }: Engine, tokens: number, { reporter, interrupt }: Context): Promise<Reader> {
  if (tokens + prefillTokens > model.contextLength) {
    const room = `the ${prefillTokens} behind it must fit the window of ${counted(model.contextLength, 'token')}`;
    throw usage(`--tokens is ${tokens}, and ${room}`);
  }
  const session: Session = await open();
  const { signal } = interrupt;
  // Any ids will do; consecutive ones begin differently in every round, so that none is found in the cache.
  const ids = (length: number, from: number) =>
    Array.from({ length }, (_, i) => (7919 * (from + i + 1)) % model.arch.vocabulary);
  const before = ids(tokens, 0);
  reporter.begin(`while reading ${counted(tokens, 'token')}`, 500);
  reporter.progress(`reading ${counted(tokens, 'token')}`, `while reading ${counted(tokens, 'token')}`);
  await session.prefill({ ids: before }, { signal });
  reporter.progress('timing the kernels', 'while timing the kernels');
  let round = 0;
  return async (n) => {
    round++;
    await session.prefill({ ids: [...before, ...ids(n, tokens + round)] }, { signal });
  };
}

interface Programs {
  /** In the cache. */
  readonly tokens: number;
  /** Read by each program. */
  readonly n: number;
  readonly rounds: number;
}

/** The time of some programs by kernel. */
async function timed(read: Reader, profile: Profile, { tokens, n, rounds }: Programs): Promise<ProgramTime> {
  // Compiles what is compiled on first use.
  await read(n);
  profile.keys = tokens + n;
  for (let round = 0; round < rounds; round++) await read(n);
  profile.keys = undefined;
  return profile.take();
}
