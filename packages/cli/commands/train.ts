import { basename, join } from 'node:path';
import { thisMachine } from '@loci/evaluate/machine';
import { command } from '../command.ts';
import { readJson } from '../input/json-file.ts';
import { text, usage, whole } from '../options/option.ts';
import { count, duration } from '../output/format.ts';
import { sparkline } from '../output/sparkline.ts';

export const train = command({
  name: 'train',
  summary: 'Train a small model as a configuration says; what was stopped goes on.',
  usage: ['CONFIG.json', 'CONFIG.json --out FOLDER'],
  positionals: [{ name: 'CONFIG.json', help: 'what is trained on what; docs/laboratory.md says what it may hold' }],
  options: {
    out: text('FOLDER', 'Where checkpoint, log and result go (default runs/CONFIG)'),
    threads: whole('N', 'Worker threads (default: one per processor)', { min: 1, max: 64 }),
  },
  async run({ options, positionals: [file] }, { reporter, interrupt }) {
    if (file === undefined) throw usage('give a configuration');
    const [{ readConfig, train: run }, { trainingParts }, { defaultThreads }] = await Promise.all([
      import('@loci/lab'),
      import('@loci/papers/mixers'),
      import('@loci/engine/node-host'),
    ]);
    const config = readConfig(await readJson(file));
    const folder = options.out ?? join('runs', basename(file, '.json'));
    const threads = options.threads ?? defaultThreads();
    const losses: number[] = [];
    let accuracy = '';
    reporter.begin('before the first step', 0);
    const result = await run(config, trainingParts, {
      ...{ threads, folder, signal: interrupt.signal },
      onProgress: ({ step, steps, loss, msPerStep, accuracy: found }) => {
        losses.push(loss);
        if (found !== undefined) accuracy = `, accuracy ${found.toFixed(3)}`;
        const left = duration((steps - step) * msPerStep);
        reporter.progress(
          `step ${count(step)} of ${count(steps)}  ${sparkline(losses, 24)}  loss ${loss.toFixed(3)}${accuracy}, ${left} left`,
          `at step ${step} of ${steps}; the same command goes on from the last checkpoint`,
        );
      },
    });
    const { steps, parameters, stateBytes, validation, test, ms } = result;
    reporter.document({
      config,
      folder,
      machine: { ...thisMachine(), threads },
      steps,
      parameters,
      stateBytes,
      validation,
      test,
      ms,
    });
    reporter.text(
      `accuracy ${test.accuracy.toFixed(4)}, loss ${test.loss.toFixed(4)} on ${count(test.examples)} test examples ` +
        `after ${count(steps)} steps; ${count(parameters)} parameters, ${duration(ms)}\n`,
    );
    reporter.note(`written: ${folder}`);
  },
});
