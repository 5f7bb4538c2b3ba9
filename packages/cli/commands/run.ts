import { command } from '../command.ts';
import { answer, costRows, type Engine, generateOptions, withModel } from '../engine.ts';
import { readIds } from '../input/id-file.ts';
import { promptIds } from '../input/prompt.ts';
import { readText } from '../input/text-file.ts';
import { flag, text, usage, type Values } from '../options/option.ts';
import { modelOptions, samplingOptions } from '../options/shared.ts';
import { twoColumns } from '../output/format.ts';

const promptOptions = {
  prompt: text('TEXT', 'The prompt itself'),
  'prompt-file': text('FILE', 'A UTF-8 text file, or - for stdin'),
  ids: text('FILE', 'A file { "ids": [1, 2, …] }; nothing is put before them'),
  chat: flag('Put the text into the chat template as a message'),
};

const defaultMaxTokens = 256;

export const run = command({
  name: 'run',
  summary: 'Continue a prompt.',
  usage: ['--prompt TEXT', '--prompt-file FILE', '--ids FILE'],
  positionals: [],
  options: { ...promptOptions, ...samplingOptions, ...modelOptions },
  async run({ options }, context) {
    const prompt = await readPrompt(options);
    const { reporter, interrupt } = context;
    await withModel(options, context, async (engine) => {
      const session = await engine.open();
      const ids = prompt(engine);
      const result = await answer(session, ids, generateOptions(options, defaultMaxTokens), reporter, interrupt.signal);
      const facts = engine.facts();
      reporter.document({ ...result, ...facts });
      if (reporter.hasTerminal) reporter.note(`\n${twoColumns(costRows(result, facts))}`);
    });
  },
});

/** The prompt's ids for a model. Files are read before the model is, so that a wrong name shows at once. */
async function readPrompt(options: Values<typeof promptOptions>): Promise<(engine: Engine) => Int32Array> {
  const { prompt, 'prompt-file': file, ids: idFile, chat } = options;
  const given = [prompt, file, idFile].filter((option) => option !== undefined).length;
  if (given !== 1) throw usage(`give one of --prompt, --prompt-file and --ids; there are ${given}`);
  if (idFile !== undefined) {
    if (chat) throw usage('--chat needs a text; ids are used as they are');
    const ids = await readIds(idFile);
    return ({ model }) => model.idsOf({ ids });
  }
  const whole = file === undefined ? (prompt ?? '') : await readText(file);
  if (whole === '') throw usage('--prompt is empty');
  return ({ model, window }) =>
    promptIds(model, whole, (content) => (chat ? { messages: [{ role: 'user', content }] } : content), window);
}
