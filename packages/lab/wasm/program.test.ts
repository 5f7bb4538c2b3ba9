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
/** The build for machines without relaxed SIMD. */
let plain: Device | undefined;
beforeAll(async () => {
  devices = await Promise.all(threads.map((count) => openTrainingDevice(count)));
  plain = await openTrainingDevice(2, 'plain');
});
afterAll(async () => {
  for (const device of [...devices, ...(plain ? [plain] : [])]) await device.close();
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
  if (!plain) throw new Error('no device');
  for (const found of [all[0] ?? [], await run(plain, outputs, numbers)]) {
    for (const [i, should] of expected.entries()) {
      const largest = should.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const gap = should.reduce((most, x, j) => Math.max(most, Math.abs(x - (found[i]?.[j] ?? Number.NaN))), 0);
      expect(gap, i === 0 ? 'value' : `derivative by ${'abc'[i - 1]}`).toBeLessThanOrEqual(2e-6 * (1 + largest));
    }
  }
});

/** Numbers as far out as float32 has them. */
const extremes = [0, -0, 1e-45, -1e-38, 1e-30, 1, -1, 88, -88, 1e10, -1e10, 1e30, -1e30, 3e38, -3e38];

test('numbers at the ends of float32 give what the definition gives, rounded', async () => {
  const x = f.parameter('a', [3, 5]);
  const functions = { ...{ tanh: f.tanh, sigmoid: f.sigmoid, silu: f.silu, relu: f.relu, exp: f.exp }, gelu: f.gelu };
  for (const device of [devices[0], plain]) {
    if (!device) throw new Error('no device');
    for (const [name, of] of Object.entries(functions)) {
      const outputs = [of(x), ...(name === 'exp' ? [] : gradients(f.sumAll(of(x)), [x]))];
      const [is, slope] = await run(device, outputs, { a: extremes });
      const [should] = evaluate([of(x)], { a: extremes.map(Math.fround) });
      expect(slope?.every(Number.isFinite) ?? true, name).toBe(true);
      for (const [i, wanted] of [...(should ?? [])].entries()) {
        const found = is?.[i] ?? Number.NaN;
        // The exponential ends at e^88.37 and at 0 below −87.7, which is enough for all that is made of it.
        if (name === 'exp' && (extremes[i] ?? 0) >= 88.3) expect(found).toBeGreaterThan(2e38);
        else
          expect(Math.abs(found - wanted), `${name}(${extremes[i]})`).toBeLessThanOrEqual(
            3e-7 + 1e-6 * Math.abs(wanted),
          );
      }
    }
  }
});

test('softmax and losses stand logits of any size, and minus infinity is a probability of 0', async () => {
  const none = Number.NEGATIVE_INFINITY;
  const a = [
    ...[1e30, -1e30, 1e30, 0, 1],
    ...[none, 0, none, 0, none],
    ...[none, none, none, none, none],
    ...[-200, -201, -202, -203, -204],
  ];
  const x = f.parameter('a', [4, 5]);
  for (const device of [devices[1], plain]) {
    if (!device) throw new Error('no device');
    const [y = new Float32Array()] = await run(device, [f.softmax(x, { scale: 2 })], { a });
    const rows = [0, 1, 2, 3].map((r) => [...y.subarray(5 * r, 5 * r + 5)]);
    expect(rows.slice(0, 3)).toEqual([
      [0.5, 0, 0.5, 0, 0],
      [0, 0.5, 0, 0.5, 0],
      [0, 0, 0, 0, 0],
    ]);
    expect(rows[3]?.[0]).toBeCloseTo(1 - Math.exp(-2), 3);
    const labels = f.input('ids', [4], 'int');
    const [loss = new Float32Array()] = await run(device, [f.crossEntropy(x, labels)], { a, ids: [0, 1, -1, 4] });
    for (const [i, should] of [
      Math.LN2,
      Math.LN2,
      0,
      4 + Math.log(1 + Math.exp(-1) + Math.exp(-2) + Math.exp(-3) + Math.exp(-4)),
    ].entries())
      expect(loss[i]).toBeCloseTo(should, 5);
  }
});

test('a number that is none stays in its own row', async () => {
  const [device] = devices;
  if (!device) throw new Error('no device');
  const a = Array.from({ length: 3 * 7 }, (_, i) => (i === 9 ? Number.NaN : i / 10));
  const x = f.parameter('a', [3, 7]);
  for (const y of [f.softmax(x), f.layerNorm(x), f.rmsNorm(x), f.matmul(x, f.constant([7, 16], Array(112).fill(1)))]) {
    const [is = new Float32Array()] = await run(device, [y], { a });
    const rows = [0, 1, 2].map((r) => is.subarray((r * is.length) / 3, ((r + 1) * is.length) / 3));
    expect(rows.map((row) => row.some(Number.isNaN))).toEqual([false, true, false]);
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
