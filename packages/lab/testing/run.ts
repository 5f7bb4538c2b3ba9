// Trains the tiny configuration in a folder, and says every step: what tests kill.
import { readConfig } from '../training/config.ts';
import { train } from '../training/train.ts';
import { countingParts, tinyConfig } from './tiny.ts';

const [folder = ''] = process.argv.slice(2);
await train(readConfig(tinyConfig), countingParts, {
  ...{ threads: 1, folder },
  onProgress: ({ step }) => void process.stdout.write(`${step}\n`),
});
