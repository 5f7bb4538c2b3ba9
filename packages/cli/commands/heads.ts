import { writeFile } from 'node:fs/promises';
import type { HeadProbe, HeadScores } from '@loci/papers';
import type { Model } from 'loci';
import { type Context, command } from '../command.ts';
import { withModel } from '../engine.ts';
import { methodsOf } from '../methods.ts';
import { defined } from '../options/defined.ts';
import { text, usage, whole } from '../options/option.ts';
import { modelOptions } from '../options/shared.ts';
import { counted, duration, twoColumns } from '../output/format.ts';
import { headMapSvg, headMapText } from '../output/head-map.ts';
import { TimeLeft } from '../output/time-left.ts';
import { mustBeWritable } from '../output/writable.ts';

const { probe: _, inspect: __, ...computing } = modelOptions;
/** Options that decide the scores, in the order of a command line. */
const deciding = ['probe', 'cases', 'seed', 'model', 'precision', 'attend', 'keep', 'store', 'steer'] as const;
/** Heads that are named. */
const shown = 10;

export const heads = command({
  name: 'heads',
  summary: "Score a model's attention heads, and draw them as a map.",
  usage: ['--probe retrieval-head|induction', '--means FILE'],
  positionals: [],
  options: {
    probe: text('NAME', 'What to look for: retrieval-head (heads that copy what is asked for) or induction'),
    cases: whole('N', 'Texts to measure with (default: what the probe finds right)', { min: 1, max: 100_000 }),
    seed: whole('N', 'The same seed draws the same texts (default 0)', { min: 0, max: 2 ** 31 - 1 }),
    svg: text('FILE', 'Draw the map as SVG, too'),
    means: text('FILE', "Write heads' mean outputs over a book, for --steer mask-heads:mode=mean"),
    ...computing,
  },
  async run({ options }, context) {
    const { probe: name, means, svg } = options;
    if ((name === undefined) === (means === undefined)) throw usage('give either --probe NAME or --means FILE');
    if (means !== undefined && svg !== undefined) throw usage('--svg does not go with --means');
    const values = { ...options, probe: [], inspect: undefined };
    // A wrong name shows before the model is loaded.
    const found = name === undefined ? undefined : await probeNamed(name);
    // And so does a place where nothing can be written.
    await mustBeWritable(svg, means);
    const { probes: __, ...methods } = await methodsOf(values);
    await withModel(values, context, async ({ model }) => {
      if (means !== undefined) return writeMeans(model, means, context);
      if (!found) return;
      const { precision, cases, seed = 0 } = options;
      const started = performance.now();
      const measured = await found.measure(model, {
        ...{ seed, open: { ...defined({ precision }), ...methods }, signal: context.interrupt.signal },
        ...defined({ cases }),
        onProgress: progressOf(context, started),
      });
      context.reporter.begin('', 0);
      const scores = withCommand(measured, options);
      if (svg !== undefined) await writeFile(svg, headMapSvg(`${scores.made.method}: ${model.name}`, scores.scores));
      show(scores, performance.now() - started, context);
    });
  },
});

/** The scores with the command that makes them again. */
function withCommand(
  { made, ...rest }: HeadScores,
  options: Readonly<Record<(typeof deciding)[number], string | number | readonly string[] | undefined>>,
): HeadScores {
  const given = deciding.flatMap((name) =>
    [options[name]].flat().flatMap((value) => (value === undefined ? [] : [`--${name} ${value}`])),
  );
  return { ...rest, made: { ...made, settings: { ...made.settings, command: ['loci heads', ...given].join(' ') } } };
}

async function probeNamed(name: string): Promise<HeadProbe> {
  const { headProbes } = await import('@loci/papers');
  const found = headProbes.find((one) => one.name === name);
  if (found) return found;
  const known = headProbes.map(({ name, summary }) => `${name} (${summary})`).join(', ');
  throw usage(`--probe is "${name}"; it must be one of ${known}`);
}

function progressOf({ reporter }: Context, started: number) {
  const timeLeft = new TimeLeft();
  reporter.begin('before the first text', 0);
  return (done: number, total: number) => {
    const left = done > 0 ? `, ${duration(timeLeft.after(done, performance.now() - started, total))} left` : '';
    const at = Math.floor(done);
    const part = done > at ? `, ${Math.floor(100 * (done - at))} %` : '';
    reporter.progress(
      `measuring text ${Math.min(at + 1, total)} of ${total}${part}${left}`,
      `after ${at} of ${counted(total, 'text')}`,
    );
  };
}

function show(scores: HeadScores, ms: number, { reporter }: Context): void {
  reporter.document(scores);
  const ranked = scores.scores
    .flatMap((row, layer) => row.map((score, head) => ({ name: `${layer}.${head}`, score })))
    .filter(({ score }) => !Number.isNaN(score))
    .sort((a, b) => b.score - a.score);
  const share = ranked.filter(({ score }) => score >= 0.1).length / ranked.length;
  const { command: _, ...made } = scores.made.settings;
  const settings = Object.entries(made).map(([name, value]) => `${name} ${String(value)}`);
  const rows = [
    [
      'best',
      ranked
        .slice(0, shown)
        .map(({ name, score }) => `${name} ${score.toFixed(2)}`)
        .join('  '),
    ],
    ['0.1 or more', `${(100 * share).toFixed(1)} % of ${ranked.length} heads`],
    ['measured', `${settings.join(', ')}, seed ${scores.made.seed}; ${duration(ms)}`],
  ] as const;
  reporter.text(`${headMapText(scores.scores)}\n${twoColumns(rows, '')}\n`);
}

async function writeMeans(model: Model, path: string, { reporter, interrupt }: Context): Promise<void> {
  const { bookMeans } = await import('@loci/papers');
  reporter.begin('while reading a book', 0);
  const means = await bookMeans(model, interrupt.signal);
  await writeFile(path, `${JSON.stringify(means)}\n`);
  reporter.document({ path, made: means.made });
  reporter.text(`${path}: heads' mean outputs over ${means.made['tokens']} tokens\n`);
}
