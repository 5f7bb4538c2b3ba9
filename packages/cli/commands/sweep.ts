import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { command } from '../command.ts';
import { readJson } from '../input/json-file.ts';
import { number, text, usage, whole } from '../options/option.ts';
import { count, duration, table } from '../output/format.ts';

export const sweep = command({
  name: 'sweep',
  summary: 'Train all combinations of a grid; several processes may share the work, and what was stopped goes on.',
  usage: ['SWEEP.json', 'SWEEP.json --out FOLDER'],
  positionals: [{ name: 'SWEEP.json', help: 'a training configuration and a grid; docs/laboratory.md says how' }],
  options: {
    out: text('FOLDER', 'Where the queue, the runs and the plot go (default runs/SWEEP)'),
    threads: whole('N', 'Worker threads of this process (default: one per processor)', { min: 1, max: 64 }),
    lease: number('S', 'Seconds of silence after which others take a run over (default 30)', { min: 1, max: 86_400 }),
  },
  async run({ options, positionals: [file] }, { reporter, interrupt }) {
    if (file === undefined) throw usage('give a sweep');
    const [{ readSweep, sweep: run, svgPlot, terminalPlot }, { trainingParts }, { defaultThreads }] = await Promise.all(
      [import('@loci/lab'), import('@loci/papers/mixers'), import('@loci/engine/node-host')],
    );
    const jobs = readSweep(await readJson(file));
    const folder = options.out ?? join('runs', basename(file, '.json'));
    const named = (varied: object) => Object.values(varied).join(' ');
    let ended = 0;
    reporter.begin('before the first run', 0);
    const reports = await run(jobs, trainingParts, {
      ...{ threads: options.threads ?? defaultThreads(), folder, signal: interrupt.signal },
      leaseMs: 1000 * (options.lease ?? 30),
      onProgress: ({ work }, { step, steps, loss, msPerStep }) =>
        reporter.progress(
          `${ended} runs done here; ${named(work.varied)}: step ${count(step)} of ${count(steps)}, loss ${loss.toFixed(3)}, ${duration((steps - step) * msPerStep)} left`,
          `after ${ended} runs; the same command goes on`,
        ),
      onEnd: ({ work, result, error }) => {
        ended++;
        reporter.text(
          `${named(work.varied)}: ${result ? `accuracy ${result.accuracy.toFixed(4)} (${duration(result.ms)})` : error}\n`,
        );
      },
    });
    const done = reports.flatMap(({ work, result }) => (result ? [{ work, result }] : []));
    const points = done.map(({ work: { config }, result }) => ({
      // The mixer with the names of its options: what differs in their values is one series.
      series: (config.model.layers.at(-1) ?? '').replace(/=[^,]*/g, ''),
      x: result.stateBytes,
      y: result.accuracy,
    }));
    reporter.document({ folder, runs: reports });
    const paths = Object.keys(jobs[0]?.work.varied ?? {});
    const rows = done.map(({ work: { varied }, result }) => [
      ...paths.map((path) => String(varied[path])),
      ...[result.accuracy.toFixed(4), count(result.stateBytes), count(result.parameters)],
    ]);
    reporter.text(`\n${table([...paths, 'accuracy', 'state bytes', 'parameters'], rows, paths.length)}\n`);
    if (points.length > 0) {
      await writeFile(join(folder, 'plot.svg'), svgPlot(points, 'state bytes', 'accuracy'));
      reporter.text(`\n${terminalPlot(points, 'state bytes')}`);
      reporter.note(`written: ${join(folder, 'plot.svg')}`);
    }
  },
});
