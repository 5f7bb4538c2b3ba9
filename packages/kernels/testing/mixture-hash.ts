// Prints a hash of everything that the mixture of all kernels writes, for each build: what another process is compared to.
import { createHash } from 'node:crypto';
import { pageFormats } from '../append/index.ts';
import { Machine, productBuilds } from './machine.ts';
import { mixture, mixtureScratch } from './mixture.ts';

for (const build of productBuilds) {
  const machine = new Machine(build);
  const hash = createHash('sha256');
  for (const format of pageFormats) {
    for (const [n, past] of [
      [1, 70],
      [45, 40],
      [3, 600],
    ] as const) {
      const { commands, outputs } = mixture(machine.reset(), 1, n, past, format);
      machine.run(commands, mixtureScratch);
      for (const { address, bytes } of outputs) hash.update(machine.bytes(address, bytes));
    }
  }
  console.log(build, hash.digest('hex'));
}
