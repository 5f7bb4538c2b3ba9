import { choice, flag, number, text, texts, whole } from './option.ts';

const anyCount = { min: 0, max: Number.MAX_SAFE_INTEGER };

/** Which model. */
export const sourceOptions = {
  model: text('REF', 'A path, a bundled name, or owner/name[:file] on the hub (default smollm2-135m-instruct)'),
  offline: flag('Fetch nothing'),
};

/** How it attends, what it keeps and the rest: `name` or `name:option=value,…`; `loci papers` lists them. */
export const methodOptions = {
  attend: text('METHOD', 'Which keys queries look at (default dense)'),
  keep: text('METHOD', 'Which tokens the cache keeps (default all)'),
  store: text('METHOD', 'How they are stored: f16, q8, q4, f32, … (default f16; f32 under --precision float32)'),
  remember: text(
    'METHOD',
    'What outlives the window of the model, for texts that are longer: em-llm (default nothing)',
  ),
  steer: texts('METHOD', 'What is changed on the way; may be repeated'),
  probe: texts('METHOD', 'What is looked at on the way; may be repeated'),
  inspect: text('FILE', 'Write what the methods decided, as JSON'),
};

/** Which model, and how it computes: the same for every command that runs one. */
export const modelOptions = {
  ...sourceOptions,
  threads: whole('N', 'Worker threads (default: one per processor)', { min: 1, max: 64 }),
  precision: choice(['float32', 'int8'], 'Activations; float32 is the truth, int8 is fast (default int8)'),
  ...methodOptions,
};

/** How tokens are chosen; without any of them the most likely one is. */
export const samplingOptions = {
  'max-tokens': whole('N', 'Tokens to generate at most (default 256; 1024 in a chat)', anyCount),
  temperature: number('T', '0 takes the most likely token (default 0)', { min: 0, max: 100 }),
  'top-k': whole('K', 'Draw from the K most likely tokens (default 0: all)', { min: 0, max: 2 ** 31 }),
  'top-p': number('P', 'Draw from the fewest tokens with probability P together (default 1)', { min: 0, max: 1 }),
  'min-p': number('P', 'Leave out tokens less likely than P times the best (default 0)', { min: 0, max: 1 }),
  'repetition-penalty': number('R', 'Make tokens already seen less likely (default 1: no)', { min: 0.01, max: 100 }),
  'presence-penalty': number('R', 'Subtract R from logits of generated tokens (default 0)', { min: -100, max: 100 }),
  seed: whole('N', 'The same seed gives the same text (default 0)', { min: -(2 ** 53), max: 2 ** 53 }),
  stop: texts('TEXT', 'End before this text; may be repeated'),
  'ignore-end': flag('Go on when the model ends its text'),
};
