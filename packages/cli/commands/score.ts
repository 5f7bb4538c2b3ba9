import type { Session } from 'loci';
import { type Context, command } from '../command.ts';
import { type Engine, reading, withModel } from '../engine.ts';
import { readIds } from '../input/id-file.ts';
import { promptIds } from '../input/prompt.ts';
import { readText } from '../input/text-file.ts';
import { text, usage, whole } from '../options/option.ts';
import { modelOptions } from '../options/shared.ts';
import { bytes, count, counted, duration, twoColumns } from '../output/format.ts';

const defaultBucket = 512;

export const score = command({
  name: 'score',
  summary: 'Measure how well the model predicts a text: its loss per token, in nats.',
  usage: ['FILE', '--ids FILE', '--ids FILE --continue FILE'],
  positionals: [{ name: 'FILE', help: 'a UTF-8 text file, or - for stdin', optional: true }],
  options: {
    ids: text('FILE', 'A file { "ids": [1, 2, …] } in place of the text; nothing is put before them'),
    continue: text('FILE', 'Score these ids behind the text or ids, which are read as a prompt'),
    bucket: whole('N', 'Predictions per mean in nllPerBucket (default 512)', { min: 1, max: Number.MAX_SAFE_INTEGER }),
    ...modelOptions,
  },
  async run({ options, positionals: [file] }, context) {
    const { bucket, continue: behind } = options;
    if (behind !== undefined && bucket !== undefined) throw usage('--bucket does not go with --continue');
    const prompt = await readPrompt(file, options.ids);
    const continuation = behind === undefined ? undefined : await readIds(behind);
    await withModel(options, context, async (engine) => {
      const session = await engine.open();
      const ids = prompt(engine);
      if (continuation) await scoreBehind(engine, session, ids, engine.model.idsOf({ ids: continuation }), context);
      else await scoreAll(engine, session, ids, bucket ?? defaultBucket, context);
    });
  },
});

async function scoreAll(
  engine: Engine,
  session: Session,
  ids: Int32Array,
  bucket: number,
  context: Context,
): Promise<void> {
  const { reporter, interrupt } = context;
  const started = performance.now();
  const { losses, meanNll } = await session.score({ ids }, reading(ids.length - 1, reporter, interrupt.signal));
  const scoreMs = performance.now() - started;
  const nllPerBucket = Array.from({ length: Math.ceil(losses.length / bucket) }, (_, b) =>
    mean(losses.subarray(b * bucket, (b + 1) * bucket)),
  );
  const tokensPerSecond = (losses.length / scoreMs) * 1000;
  reporter.document({ tokens: ids.length, meanNll, bucket, nllPerBucket, scoreMs, tokensPerSecond, ...engine.facts() });
  const rows = [
    ['tokens', `${count(ids.length)} in ${duration(scoreMs)}`],
    ['mean loss', `${meanNll.toFixed(4)} nats a token (perplexity ${Math.exp(meanNll).toFixed(2)})`],
    ...nllPerBucket.map((nll, b) => {
      const last = Math.min((b + 1) * bucket, losses.length) - 1;
      return [`${count(b * bucket)}–${count(last)}`, nll.toFixed(4)] as const;
    }),
  ] as const;
  reporter.text(`${twoColumns(rows, '')}\n`);
}

async function scoreBehind(
  engine: Engine,
  session: Session,
  prompt: Int32Array,
  continuation: Int32Array,
  { reporter, interrupt }: Context,
): Promise<void> {
  const options = reading(prompt.length, reporter, interrupt.signal);
  const [losses = new Float64Array()] = await session.scoreContinuations({ ids: prompt }, [continuation], options);
  const nll = Array.from(losses);
  const meanNll = mean(losses);
  const { kvBytes } = session;
  reporter.document({ nll, meanNll, tokens: nll.length, promptTokens: prompt.length, kvBytes, ...engine.facts() });
  const rows = [
    ['prompt', counted(prompt.length, 'token')],
    ['mean loss', `${meanNll.toFixed(4)} nats a token over ${counted(nll.length, 'token')}`],
    ['cache', bytes(kvBytes)],
  ] as const;
  reporter.text(`${twoColumns(rows, '')}\n`);
}

/** Files are read before the model is, so that a wrong name shows at once. */
async function readPrompt(
  file: string | undefined,
  idFile: string | undefined,
): Promise<(engine: Engine) => Int32Array> {
  if ((file === undefined) === (idFile === undefined)) throw usage('give either FILE or --ids FILE');
  if (idFile !== undefined) {
    const ids = await readIds(idFile);
    return ({ model }) => model.idsOf({ ids });
  }
  const whole = await readText(file ?? '');
  return ({ model, window }) => promptIds(model, whole, (all) => all, window);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
