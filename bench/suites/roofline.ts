import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Phase, speedAndShare } from '../../packages/cli/output/roofline.ts';
import { type Limits, measureLimits } from '../../packages/engine/index.ts';
import { held } from '../child.ts';
import { figure, type Table } from '../outcome.ts';
import type { Suite } from '../suite.ts';

const cli = fileURLToPath(new URL('../../packages/cli/main.mjs', import.meta.url));
/** Tokens in the cache; behind them must be room for one more piece of a prompt in the model's window. */
const contexts = [512, 7900] as const;

/** What `loci bench --json` prints, as far as it is used here. */
interface Profile {
  readonly phases: readonly Phase[];
}

export const roofline: Suite = {
  name: 'roofline',
  title: 'Kernels against the limits of the machine',
  takesBase: false,
  async run({ quick, repeats, threads, say }) {
    say("measuring the machine's limits");
    const limits = [await measureLimits(1), ...(threads > 1 ? [await measureLimits(threads)] : [])];
    const profiles: Profile[] = [];
    for (const tokens of quick ? contexts.slice(0, 1) : contexts) {
      say(`timing kernels behind ${tokens} tokens`);
      profiles.push(await profile(tokens, threads, repeats));
    }
    return {
      settings:
        'SmolLM2-135M-Instruct, f16 cache. The limits are measured with kernels that do nothing else; a share is the least ' +
        `time at the limit that binds ÷ the time taken. ${threads} threads, medians of ${repeats} programs (\`loci bench\`).`,
      tables: [limitTable(limits), ...profiles.flatMap(({ phases }) => phases.map(phaseTable))],
      plots: [],
      findings: [],
      data: { limits, profiles },
    };
  },
};

async function profile(tokens: number, threads: number, rounds: number): Promise<Profile> {
  const options = { '--tokens': tokens, '--threads': threads, '--rounds': rounds };
  const args = Object.entries(options).flatMap(([name, value]) => [name, String(value)]);
  const child = held(
    spawn(process.execPath, [cli, 'bench', '--json', ...args], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`"loci bench" ended with ${code}`);
  return JSON.parse(printed);
}

function limitTable(limits: readonly Limits[]): Table {
  return {
    head: ['limits', 'reading memory', 'dot products of bytes', 'float32 arithmetic'],
    rows: limits.map(({ threads, gigabytesPerSecond, integerGops, floatGops }) => [
      threads === 1 ? '1 thread' : `${threads} threads`,
      `${figure(gigabytesPerSecond)} GB/s`,
      `${figure(integerGops)} Gop/s`,
      `${figure(floatGops)} Gop/s`,
    ]),
  };
}

function phaseTable({ phase, tokens, behind, programMs, kernels }: Phase): Table {
  return {
    head: [`${phase} of ${tokens} behind ${behind}`, 'calls', 'ms', 'of all', 'speed', 'of the limit'],
    rows: [
      ...kernels.map(({ kernel, shape, calls, ms, limited }) => [
        `${kernel} ${shape}`.trim(),
        String(calls),
        figure(ms),
        `${((ms / programMs) * 100).toFixed(0)} %`,
        ...speedAndShare(limited),
      ]),
      [
        'all, in their order',
        String(kernels.reduce((sum, { calls }) => sum + calls, 0)),
        figure(programMs),
        '',
        '',
        '',
      ],
    ],
  };
}
