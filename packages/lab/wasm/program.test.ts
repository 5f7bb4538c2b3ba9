import type { Device } from '@loci/device';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as f from '../arrays/index.ts';
import { evaluate, gradients, type Numbers, type Tensor } from '../arrays/index.ts';
import { cases } from '../testing/cases.ts';
import { instance, weighted } from '../testing/numbers.ts';
import { openTrainingDevice } from './device.ts';
import { Program } from './program.ts';

const threads = [1, 2, 3, 8];
let devices: readonly Device[] = [];
beforeAll(async () => {
  devices = await Promise.all(threads.map(openTrainingDevice));
});
afterAll(async () => {
  for (const device of devices) await device.close();
});

/** The outputs on a device; memory that nobody wrote is NaN. */
async function run(device: Device, outputs: readonly Tensor[], numbers: Numbers): Promise<readonly Float32Array[]> {
  const poison = device.allocate(2 ** 20);
  device.floats(poison, 2 ** 18).fill(Number.NaN);
  device.free(poison);
  const own: number[] = [];
  const places = new Map<Tensor, number>();
  for (const one of f.reachable(outputs)) {
    if (one.op.kind !== 'parameter') continue;
    const given = Float32Array.from(numbers[one.op.name] ?? []);
    const address = device.allocate(4 * given.length);
    device.floats(address, given.length).set(given);
    own.push(address);
    places.set(one, address);
  }
  const named = Object.fromEntries(outputs.map((one, i) => [String(i), one]));
  const program = new Program(device, { outputs: named, places });
  if (program.has('ids')) program.ints('ids').set(Int32Array.from(numbers['ids'] ?? []));
  await program.run();
  // Again: a run leaves nothing behind that changes the next.
  const first = outputs.map((_, i) => program.output(String(i)).slice());
  await program.run();
  expect(outputs.map((_, i) => program.output(String(i)))).toEqual(first);
  program.free();
  for (const address of own) device.free(address);
  return first;
}

test.each(cases)('$name: values and derivatives as defined, the same bits on any number of threads', async (one) => {
  const { y, parameters, numbers } = instance(one);
  const outputs = [y, ...gradients(weighted(y), parameters)];
  const expected = evaluate(outputs, numbers);
  const all = await Promise.all(devices.map((device) => run(device, outputs, numbers)));
  for (const found of all) expect(found).toEqual(all[0]);
  for (const [i, should] of expected.entries()) {
    const largest = should.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const gap = should.reduce((most, x, j) => Math.max(most, Math.abs(x - (all[0]?.[i]?.[j] ?? Number.NaN))), 0);
    expect(gap, i === 0 ? 'value' : `derivative by ${'abc'[i - 1]}`).toBeLessThanOrEqual(2e-6 * (1 + largest));
  }
});

test('memory is shared by what does not live at the same time, and given back', async () => {
  const [device] = devices;
  if (!device) throw new Error('no device');
  const x = f.input('x', [1000]);
  let y: Tensor = x;
  for (let i = 0; i < 50; i++) y = f.affine(y, 1, 1);
  // The device keeps room for the longest program it has seen.
  const first = new Program(device, { outputs: { y } });
  await first.run();
  first.free();
  const before = device.bytesInUse;
  const program = new Program(device, { outputs: { y } });
  expect(device.bytesInUse - before).toBeLessThan(5 * 4096);
  program.floats('x').fill(1);
  await program.run();
  expect(program.output('y')).toEqual(new Float32Array(1000).fill(51));
  program.free();
  expect(device.bytesInUse).toBe(before);
});

test('an output that is an input, a view or given twice is written all the same', async () => {
  const [device] = devices;
  if (!device) throw new Error('no device');
  const x = f.input('x', [2, 3]);
  const y = f.exp(x);
  const program = new Program(device, { outputs: { x, turned: f.transpose(y), y, again: y } });
  program.floats('x').set([0, 1, 2, 3, 4, 5]);
  await program.run();
  const rounded = (name: string) => [...program.output(name)].map((value) => Math.round(Math.log(value)));
  expect([...program.output('x')]).toEqual([0, 1, 2, 3, 4, 5]);
  expect(rounded('turned')).toEqual([0, 3, 1, 4, 2, 5]);
  expect(rounded('y')).toEqual([0, 1, 2, 3, 4, 5]);
  expect(rounded('again')).toEqual([0, 1, 2, 3, 4, 5]);
  program.free();
});
