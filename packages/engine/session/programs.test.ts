import { opcodes } from '@loci/kernels';
import { expect, test } from 'vitest';
import type { Probe } from '../axes/probe.ts';
import { loadModel } from '../load.ts';
import type { OpenOptions } from './model.ts';

const greedy = (maxTokens: number) => ({ maxTokens, temperature: 0, ignoreEnd: true }) as const;

/** Records nothing, but might: the programs of its session are recorded anew every time. */
const idle: Probe = {
  axis: 'probe',
  name: 'idle',
  spec: 'idle',
  needs: {},
  open: () => ({ result: () => undefined, close: () => {} }),
};

/** The words of all programs of two sessions that take turns, generate together, fork, and grow past tables and parts. */
async function programsOf(options: OpenOptions): Promise<readonly number[][]> {
  const programs: number[][] = [];
  const observer = (program: Int32Array) => {
    // Choices behind prompts have memory wherever there is some.
    if (program[0] !== opcodes.choose) programs.push(Array.from(program));
    return undefined;
  };
  const model = await loadModel(undefined, { threads: 1, observer });
  // Weights are packed in the order in which they are read.
  programs.length = 0;
  try {
    const ids = (n: number, from: number) => Array.from({ length: n }, (_, i) => 100 + ((7 * i + from) % 4000));
    const first = await model.open(options);
    const second = await model.open({ ...options, store: 'q8' });
    await first.complete({ ids: ids(505, 0) }, greedy(12));
    await second.complete({ ids: ids(20, 5) }, greedy(4));
    await first.complete({ ids: ids(505, 0) }, greedy(4));
    const together = [first.generate({ ids: ids(30, 3) }, greedy(8)), second.generate({ ids: ids(40, 9) }, greedy(5))];
    for (let token = 0; token < 10; token++) await Promise.all(together.map((one) => one.next()));
    const fork = first.fork();
    await fork.complete({ ids: ids(34, 3) }, greedy(3));
    await second.score({ ids: ids(50, 1) });
    await second.prefill({ ids: ids(51, 1) });
    await second.complete({ ids: ids(52, 1) }, { maxTokens: 3, temperature: 1, seed: 5, ignoreEnd: true });
    for (const session of [fork, first, second]) session.close();
  } finally {
    await model.close();
  }
  return programs;
}

test('a program that is used again has the words that recording it anew gives', async () => {
  const again = await programsOf({});
  expect(again).toEqual(await programsOf({ probes: [idle] }));
  const words = again.map((program) => program.join());
  const repeated = words.filter((program, i) => program === words[i - 1]);
  // Most tokens of decode change no word.
  expect(repeated.length).toBeGreaterThan(10);
});

test('a session that comes later shares the programs of one that is decoding', async () => {
  let programs = 0;
  const observer = () => {
    programs++;
    return undefined;
  };
  const model = await loadModel(undefined, { threads: 1, observer });
  programs = 0;
  try {
    const [first, second] = [await model.open(), await model.open()];
    let later: Promise<unknown> | undefined;
    let tokens = 0;
    for await (const _ of first.generate({ ids: [1, 2, 3] }, greedy(30))) {
      if (++tokens === 5) later = second.complete({ ids: [4, 5, 6] }, greedy(20));
    }
    await later;
    // The prompts, each with a choice behind it, and the 29 tokens behind the first's; apart the second's 19 would come on top.
    expect(programs).toBeLessThanOrEqual(2 + 29 + 2);
    first.close();
    second.close();
  } finally {
    await model.close();
  }
});
