// Takes part in a sweep over the tiny configuration, and says every step: what tests kill.
import { readSweep } from '../sweep/grid.ts';
import { sweep } from '../sweep/sweep.ts';
import { countingParts, tinyConfig } from './tiny.ts';

const [folder = '', leaseMs = '1000'] = process.argv.slice(2);
await sweep(readSweep({ base: tinyConfig, grid: { seed: [0, 1, 2] } }), countingParts, {
  ...{ threads: 1, folder, leaseMs: Number(leaseMs) },
  onProgress: ({ id }, { step }) => void process.stdout.write(`${id} ${step}\n`),
});
