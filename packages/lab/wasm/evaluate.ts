import type { Device } from '@loci/device';
import { type Numbers, reachable, sizeOf, type Tensor } from '../arrays/index.ts';
import { Program } from './program.ts';

/** Expressions on a device, once: as `evaluate` in arrays/reference.ts, in float32. @throws RangeError for missing numbers. */
export async function evaluateOn(
  device: Device,
  outputs: readonly Tensor[],
  numbers: Numbers,
): Promise<readonly Float32Array[]> {
  const places = new Map<Tensor, number>();
  const given = (name: string, length: number) => {
    const found = numbers[name];
    if (found?.length !== length) throw new RangeError(`${name} wants ${length} numbers`);
    return found;
  };
  const leaves = reachable(outputs);
  for (const one of leaves) {
    if (one.op.kind !== 'parameter') continue;
    const length = sizeOf(one.shape);
    const address = device.allocate(4 * length);
    device.floats(address, length).set(given(one.op.name, length));
    places.set(one, address);
  }
  const program = new Program(device, { outputs: Object.fromEntries(outputs.map((one, i) => [i, one])), places });
  try {
    for (const { op, shape } of leaves) {
      if (op.kind !== 'input') continue;
      const target = op.type === 'int' ? program.ints(op.name) : program.floats(op.name);
      target.set(given(op.name, sizeOf(shape)));
    }
    await program.run();
    return outputs.map((_, i) => program.output(String(i)).slice());
  } finally {
    program.free();
    for (const address of places.values()) device.free(address);
  }
}
