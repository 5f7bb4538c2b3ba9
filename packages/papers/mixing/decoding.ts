/** How trained models decode in the engine: time per token and memory, at the beginning and far on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Profile } from '@loci/device';
import { haystackOf, type Workbench } from '@loci/evaluate';
import { readConfig } from '@loci/lab';
import type { LoadModelOptions, Model } from 'loci';
import { inModel } from '../methods/in-session.ts';
import { mixerLayers } from '../mixers.ts';
import { trainOn } from './train-on.ts';

/** Trains on the bundled books, byte by byte, and opens the file of the model in the engine. */
async function withTrained<T>(
  workbench: Workbench,
  layers: readonly string[],
  steps: number,
  work: (model: Model) => Promise<T>,
  options: LoadModelOptions = {},
): Promise<T> {
  const config = readConfig({
    task: { name: 'text', length: 256 },
    model: { width: 128, layers: [...layers], feedForward: 4, norm: 'rms' },
    training: { steps, batch: 16, rate: 2e-3, warmUp: Math.ceil(steps / 20), least: 0.1 },
    saveEvery: steps,
  });
  const folder = await mkdtemp(join(tmpdir(), 'loci-decoding-'));
  try {
    await trainOn(workbench, config, `training ${layers.join(' ')}`, { folder });
    // A step of so small a model is over before a second thread has woken.
    // And every token is given out as soon as it is there, so that it has a time of its own.
    const settings = { threads: 1, burst: { tokens: 1, ms: 0 }, mixers: async () => mixerLayers, ...options };
    return await inModel(join(folder, 'model.safetensors'), settings, work);
  } finally {
    await rm(folder, { recursive: true });
  }
}

export type LongRun = {
  readonly tokens: number;
  /** Mean of tokens 1,000 to 2,000 and of the last 1,000, in milliseconds, and the medians. */
  readonly early: { readonly mean: number; readonly median: number };
  readonly late: { readonly mean: number; readonly median: number };
  /** Of the process, behind the first 2,000 tokens and behind every tenth of all; training has left its rubbish in the first. */
  readonly residentBytes: readonly number[];
  /** Of the sequence, at the same places. */
  readonly stateBytes: readonly number[];
};

/** Decodes many tokens behind a line of text. */
export function decodedLong(
  workbench: Workbench,
  layers: readonly string[],
  steps: number,
  tokens: number,
): Promise<LongRun> {
  return workbench.once(`decoded ${tokens} ${steps} ${layers.join(' ')}`, () =>
    withTrained(workbench, layers, steps, async (model) => {
      const session = await model.open();
      const times = new Float64Array(tokens);
      const memory: { resident: number; state: number }[] = [];
      const look = () => memory.push({ resident: process.memoryUsage.rss(), state: session.kvBytes });
      let done = 0;
      let last = performance.now();
      // At a temperature, since greedy text of a small model soon repeats itself.
      const options = { maxTokens: tokens, temperature: 1, seed: 0, ignoreEnd: true };
      for await (const { id } of session.generate('The Count stood at the window, ', options)) {
        if (id === undefined) continue;
        const now = performance.now();
        times[done++] = now - last;
        last = now;
        if (done === 2000 || done % Math.ceil(tokens / 10) === 0) look();
        if (done % 1000 === 0) workbench.progress('decoding', done / tokens);
      }
      return {
        tokens: done,
        early: timesOf(times.subarray(1000, 2000)),
        late: timesOf(times.subarray(-1000)),
        residentBytes: memory.map(({ resident }) => resident),
        stateBytes: memory.map(({ state }) => state),
      };
    }),
  );
}

export type Depths = {
  readonly layers: readonly string[];
  /** Behind prompts of so many tokens: median milliseconds of a token, of its attention kernels, and bytes of the sequence. */
  readonly at: readonly {
    readonly prompt: number;
    readonly ms: number;
    readonly attendMs: number;
    readonly stateBytes: number;
  }[];
};

/** Time per token behind prompts of several lengths. */
export function decodedAt(
  workbench: Workbench,
  layers: readonly string[],
  steps: number,
  prompts: readonly number[],
): Promise<Depths> {
  const profile = new Profile();
  const work = async (model: Model) => {
    const ids = new TextEncoder().encode(haystackOf('dracula').sentences.join(' '));
    const at: Depths['at'][number][] = [];
    for (const prompt of prompts) {
      const session = await model.open();
      const times: number[] = [];
      const options = { maxTokens: 201, ignoreEnd: true };
      let last = 0;
      for await (const { id } of session.generate({ ids: ids.subarray(0, prompt) }, options)) {
        const now = performance.now();
        if (id !== undefined && last > 0) times.push(now - last);
        last = now;
      }
      const { median: ms } = timesOf(Float64Array.from(times));
      profile.keys = session.ids.length + 1;
      await session.complete({ ids: session.ids }, { maxTokens: 30, ignoreEnd: true });
      profile.keys = undefined;
      const attending = profile.take().kernels.filter(({ kernel }) => kernel === 'attend' || kernel === 'merge');
      const attendMs = attending.reduce((sum, kernel) => sum + kernel.ms, 0);
      at.push({ prompt, ms, attendMs, stateBytes: session.kvBytes });
      session.close();
    }
    return { layers: [...layers], at };
  };
  return workbench.once(`decoded at ${prompts.join(' ')} ${steps} ${layers.join(' ')}`, () =>
    withTrained(workbench, layers, steps, work, { observer: profile.observer }),
  );
}

function timesOf(times: Float64Array): { readonly mean: number; readonly median: number } {
  const sorted = Float64Array.from(times).sort();
  return {
    mean: times.reduce((sum, one) => sum + one, 0) / times.length,
    median: sorted[Math.floor(times.length / 2)] ?? Number.NaN,
  };
}
