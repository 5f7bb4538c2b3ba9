import { type Mixer, type Parts, textTask } from '@loci/lab';
import { LociError, type Mixers } from 'loci';
import { ZodError } from 'zod';
import { taylor } from './based/mix.ts';
import { delta } from './baselines/delta-rule/mix.ts';
import { lightning } from './lightning-attention/mix.ts';
import type { MethodFactory } from './methods/define.ts';
import { powerMix } from './power-attention/mix.ts';
import { passkeyTask } from './power-attention/task.ts';
import { s2Mix } from './s2-attention/mix.ts';
import { scatteredRecallTask } from './s2-attention/task.ts';
import { attention, baseConv } from './zoology/mix.ts';
import { selective } from './zoology/selective.ts';
import { mqarTask } from './zoology/task.ts';

/** What layers of trained models can be made of, by name. */
export const mixers: readonly MethodFactory<Mixer>[] = [
  attention,
  baseConv,
  selective,
  taylor,
  lightning,
  delta,
  powerMix,
  s2Mix,
];

/** What the engine finds behind the names in a file of a trained model. */
export const mixerLayers: Mixers = (text, size) => {
  const layer = trainingParts.mixer(text).layer?.(size);
  if (!layer) throw new LociError('unsupported', `the engine cannot compute the mixer "${text}"`);
  return layer;
};

/** What models can be trained on, by name. */
export const trainingTasks = {
  mqar: mqarTask,
  text: textTask,
  passkey: passkeyTask,
  'scattered-recall': scatteredRecallTask,
} as const;

/** What the laboratory finds behind the names of a configuration. */
export const trainingParts: Parts = {
  mixer(text) {
    const at = text.indexOf(':');
    const name = at < 0 ? text : text.slice(0, at);
    const found = mixers.find((one) => one.name === name);
    if (!found)
      throw new LociError(
        'bad-option',
        `there is no mixer "${name}"; there are ${mixers.map((one) => one.name).join(', ')}`,
      );
    return found.parse(at < 0 ? '' : text.slice(at + 1));
  },
  task(options, seed) {
    const found = Object.entries(trainingTasks).find(([name]) => name === options.name);
    if (!found)
      throw new LociError(
        'bad-option',
        `there is no task "${options.name}"; there are ${Object.keys(trainingTasks).join(', ')}`,
      );
    try {
      return found[1](options, seed);
    } catch (error) {
      if (!(error instanceof ZodError)) throw error;
      const [issue] = error.issues;
      throw new LociError('bad-option', `task ${options.name} is wrong at ${issue?.path.join('.')}: ${issue?.message}`);
    }
  },
};
