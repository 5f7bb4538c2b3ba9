import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Command, copy, matmulFloat, type PageFormat } from '@loci/kernels';
import { describe, expect, test } from 'vitest';
import { nodeHost } from '../engine/platform/node-host.ts';
import { mixture } from '../kernels/testing/mixture.ts';
import { floats, random } from '../kernels/testing/numbers.ts';
import { packedWeights } from '../kernels/testing/weights.ts';
import { Device, DeviceError, Encoder } from './index.ts';
import { Chain } from './testing/chain.ts';
import { DeviceRoom, killableHost, programOf, scratchBytes, withDevice } from './testing/host.ts';

/** A product that takes a thread about a millisecond. */
function work(device: Device): Command {
  const room = new DeviceRoom(device);
  const [rows, columns, n] = [128, 512, 64];
  const matrix = {
    layout: 'f32',
    rows,
    columns,
    address: room.input(packedWeights('f32', rows, columns, random(1))),
  } as const;
  const x = room.input(floats(n * columns, random(2)));
  return matmulFloat(x, { matrix, n, out: room.output(4 * n * rows), stride: rows });
}

async function reasonOf(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => 'it succeeded',
    (error: unknown) => error,
  );
  return error instanceof DeviceError ? error.reason : `not a DeviceError: ${String(error)}`;
}

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

/** Fails when the device does not compute. */
async function expectUsable(device: Device): Promise<void> {
  const chain = new Chain(device, 20);
  await chain.run(1000);
  expect(chain.isRight(1000)).toBe(true);
  chain.free();
}

async function runMixture(device: Device, n: number, past: number, format: PageFormat): Promise<Buffer> {
  const room = new DeviceRoom(device);
  const { commands, outputs } = mixture(room, n, n, past, format);
  await device.run(programOf(commands));
  const result = Buffer.concat(outputs.map(({ address, bytes }) => device.bytes(address, bytes)));
  room.free();
  return result;
}

describe('results', () => {
  test('are the same to the last bit on 1, 2, 3 and 8 threads, for a program of every kernel', async () => {
    const results: (readonly Buffer[])[] = [];
    for (const threads of [1, 2, 3, 8]) {
      const result = await withDevice(threads, async (device) => [
        await runMixture(device, 50, 40, 'f16'),
        await runMixture(device, 3, 1100, 'q8'),
        await runMixture(device, 8, 600, 'f32'),
      ]);
      results.push(result);
    }
    for (const result of results.slice(1)) {
      expect(result.map((bytes, i) => bytes.equals(results[0]?.[i] ?? Buffer.of()))).toEqual([true, true, true]);
    }
  });

  test('of runs that queue up come in order, and a program is what was recorded when it was run', async () => {
    await withDevice(2, async (device) => {
      const chain = new Chain(device, 10);
      const encoder = programOf(chain.commands);
      const first = chain.run(5);
      const order: string[] = [];
      const second = device.run(encoder).then(() => order.push('second'));
      // Would trap if it were part of the run that waits.
      encoder.record({ opcode: 99, words: [], join: true });
      await first.then(() => order.push('first'));
      await second;
      expect(order).toEqual(['first', 'second']);
      expect(chain.isRight(5)).toBe(true);
    });
  });

  test('are right in memory that grew after the workers started, also while they compute', async () => {
    await withDevice(2, async (device) => {
      const long = device.run(programOf([work(device)], 200));
      const blocks: number[] = [];
      for (let i = 0; i < 10; i++) {
        blocks.push(device.allocate(2 ** 23));
        await pause(5);
      }
      await long;
      device.free(blocks[9] ?? 0);
      await expectUsable(device);
    });
  });
});

describe('a run', () => {
  test('leaves the event loop free', async () => {
    await withDevice(2, async (device) => {
      let ticks = 0;
      const start = performance.now();
      const timer = setInterval(() => ticks++, 20);
      await device.run(programOf([work(device)], 2400));
      clearInterval(timer);
      const expected = (performance.now() - start) / 20;
      expect(expected).toBeGreaterThan(5);
      expect(ticks).toBeGreaterThan(expected / 3);
    });
  });

  test.each([1, 2, 5])('stops soon after its signal, and the device goes on (%i threads)', async (threads) => {
    await withDevice(threads, async (device) => {
      const long = programOf([work(device)], 20_000);
      for (const delay of [0, 30, 100]) {
        const abort = new AbortController();
        const run = device.run(long, abort.signal);
        await pause(delay);
        const start = performance.now();
        abort.abort();
        expect(await reasonOf(run)).toBe('aborted');
        expect(performance.now() - start).toBeLessThan(1000);
        await expectUsable(device);
      }
    });
  });

  test('whose signal fires before its turn does not begin, and those around it do', async () => {
    await withDevice(2, async (device) => {
      const chain = new Chain(device, 10);
      const abort = new AbortController();
      const first = device.run(programOf([work(device)], 50));
      const second = chain.run(1, abort.signal);
      const third = expectUsable(device);
      abort.abort();
      await first;
      expect(await reasonOf(second)).toBe('aborted');
      await third;
      expect(chain.isRight(1)).toBe(false);
    });
  });
});

describe('a kernel that traps', () => {
  /** Every thread meets this one. */
  const unknown: Command = { opcode: 99, words: [], join: true };

  /** And one thread alone this: it copies one row from the end of a memory that is much smaller. */
  function outside(device: Device): Command {
    const rows = new DeviceRoom(device).input(Int32Array.of(0));
    return copy({ from: 2 ** 32 - 64, stride: 4, rows, n: 1, columns: 4, out: rows });
  }

  test.each([1, 2, 5])('fails its run with its own reason, and the device goes on (%i threads)', async (threads) => {
    await withDevice(threads, async (device) => {
      const before = work(device);
      for (const [bad, message] of [
        [unknown, /unreachable/],
        [outside(device), /out of bounds/],
        [unknown, /unreachable/],
      ] as const) {
        const run = device.run(programOf([before, bad, ...Array.from({ length: 50 }, () => before)]));
        await expect(run).rejects.toThrow(message);
        expect(await reasonOf(run)).toBe('trap');
        await expectUsable(device);
      }
    });
  });
});

describe('a worker that dies', () => {
  test.each([1, 2, 3])('ends the run under way and all others (%i threads)', async (threads) => {
    const { host, workers } = killableHost();
    const device = await Device.create(host, { threads, scratchBytes });
    const run = device.run(programOf([work(device)], 20_000));
    const queued = device.run(new Encoder());
    await pause(50);
    await workers[threads - 1]?.terminate();
    expect(await reasonOf(run)).toBe('dead');
    expect(await reasonOf(queued)).toBe('dead');
    expect(await reasonOf(device.run(new Encoder()))).toBe('dead');
    await device.close();
  });

  test('while nothing runs makes the next run fail', async () => {
    const { host, workers } = killableHost();
    const device = await Device.create(host, { threads: 2, scratchBytes });
    await device.run(new Encoder());
    await workers[0]?.terminate();
    await expect(device.run(new Encoder())).rejects.toThrow('a worker thread ended');
    await device.close();
  });
});

describe('memory', () => {
  test('beyond 4 GiB is refused, and what is there stays usable', async () => {
    await withDevice(1, async (device) => {
      const before = device.bytesInUse;
      expect(() => device.allocate(5e9)).toThrow(DeviceError);
      expect(() => device.allocate(2 ** 32)).toThrow(/no room for \d+ bytes/);
      expect(device.bytesInUse).toBe(before);
      await expectUsable(device);
    });
  });

  test('is used again for programs of any length', async () => {
    await withDevice(1, async (device) => {
      const chain = new Chain(device, 200);
      await chain.run(0);
      const inUse = device.bytesInUse;
      for (let times = 0; times < 20; times++) await chain.run(times);
      expect(device.bytesInUse).toBe(inUse);
    });
  });
});

describe('closing', () => {
  test.each(['long', 'short'])(
    'fails the run under way (%s kernels), those that wait and those that come',
    async (kind) => {
      const device = await Device.create(nodeHost, { threads: 2, scratchBytes });
      const commands = kind === 'long' ? [work(device)] : new Chain(device, 10).commands;
      const run = device.run(programOf(commands, 20_000));
      const queued = device.run(new Encoder());
      const reasons = [reasonOf(run), reasonOf(queued)];
      await pause(30);
      const start = performance.now();
      await device.close();
      expect(await Promise.all(reasons)).toEqual(['dead', 'dead']);
      expect(performance.now() - start).toBeLessThan(2000);
      expect(await reasonOf(device.run(new Encoder()))).toBe('dead');
      await device.close();
    },
  );

  test('is what happens to the workers there are when one cannot be started', async () => {
    const { host, workers } = killableHost();
    let ended = 0;
    const failing = {
      kernels: host.kernels,
      async startWorker(...[start, events]: Parameters<typeof host.startWorker>) {
        if (workers.length === 2) throw new Error('no more threads');
        return host.startWorker(start, {
          ...events,
          onExit(reason) {
            ended++;
            events.onExit(reason);
          },
        });
      },
    };
    await expect(Device.create(failing, { threads: 3, scratchBytes })).rejects.toThrow('no more threads');
    expect(ended).toBe(2);
  });
});

describe('the process', () => {
  /** Runs a module in a Node of its own; `device` and `chain` are there. Returns the exit code and what it wrote. */
  async function node(body: string): Promise<{ code: number | null; out: string }> {
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const script = `
      import { Device } from ${url('./index.ts')};
      import { nodeHost } from ${url('../engine/platform/node-host.ts')};
      import { Chain } from ${url('./testing/chain.ts')};
      const device = await Device.create(nodeHost, { threads: 2, scratchBytes: 65536 });
      const chain = new Chain(device, 2000);
      ${body}`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (out += String(chunk)));
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, out })));
  }

  test('waits for a run and ends by itself beside an idle device', async () => {
    expect(await node('await chain.run(3); console.log(chain.isRight(3));')).toEqual({ code: 0, out: 'true\n' });
  });

  test('ends by itself after a failed run and after a close', async () => {
    const body = `
      await device.run({ program: () => Int32Array.of(99, 0, 1, 0, 0) }).catch((error) => console.log(error.reason));
      await device.close();`;
    expect(await node(body)).toEqual({ code: 0, out: 'trap\n' });
  });

  test('keeps nothing of a run that has ended', async () => {
    const body = `
      const { setFlagsFromString } = await import('node:v8');
      const { runInNewContext } = await import('node:vm');
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc');
      const empty = { program: () => Int32Array.of(0) };
      const held = async () => {
        for (let i = 0; i < 5000; i++) await device.run(empty);
        gc();
        return process.memoryUsage().heapUsed;
      };
      await held();
      const before = await held();
      console.log((await held()) - before < 5000 * 50);
      await device.close();`;
    expect(await node(body)).toEqual({ code: 0, out: 'true\n' });
  });
});
