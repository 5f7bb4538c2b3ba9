import { expect, test } from 'vitest';
import { random } from '../kernels/testing/numbers.ts';
import { DeviceError } from './index.ts';
import { Chain } from './testing/chain.ts';
import { programOf, withDevice } from './testing/host.ts';

// More threads than cores on any small machine: waits end by sleeping and not only by spinning.
test.each([1, 2, 3, 4, 6, 8])('hundreds of short programs are all right on %i threads', async (threads) => {
  await withDevice(threads, async (device) => {
    const chain = new Chain(device, 6);
    for (let seed = 0; seed < 400; seed++) {
      await chain.run(seed);
      if (!chain.isRight(seed)) throw new Error(`run ${seed} is wrong`);
    }
  });
});

test.each([1, 2, 4, 8])(
  'stopped and failed programs among others leave the device sound on %i threads',
  async (threads) => {
    await withDevice(threads, async (device) => {
      const next = random(threads);
      const chain = new Chain(device, 40);
      const counts = { right: 0, aborted: 0, trap: 0 };
      const trap = { opcode: 99, words: [], join: true };
      for (let seed = 0; seed < 150; seed++) {
        const abort = new AbortController();
        const kind = next();
        try {
          if (kind < 0.2) {
            await device.run(programOf([...chain.commands.slice(0, Math.floor(next() * 40)), trap, ...chain.commands]));
          } else if (kind < 0.6) {
            const run = chain.run(seed, abort.signal);
            if (kind < 0.3) await Promise.resolve();
            else if (kind < 0.4) await new Promise((wake) => setImmediate(wake));
            else if (kind < 0.5) await new Promise((wake) => setTimeout(wake, next() * 2));
            abort.abort();
            await run;
          } else await chain.run(seed);
          if (!chain.isRight(seed)) throw new Error(`run ${seed} is wrong`);
          counts.right++;
        } catch (error) {
          if (!(error instanceof DeviceError) || (error.reason !== 'aborted' && error.reason !== 'trap')) throw error;
          counts[error.reason]++;
        }
      }
      expect(counts.right).toBeGreaterThan(50);
      expect(counts.aborted).toBeGreaterThan(10);
      expect(counts.trap).toBeGreaterThan(15);
    });
  },
);
