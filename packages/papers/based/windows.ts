import { evaluateOn, initialNumbers, openTrainingDevice } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { attention } from '../zoology/mix.ts';

const [n, width, window, changedAt] = [50, 16, 7, 20];

/** Limits of the sliding window, with the kernels that train. */
export async function compareWindows() {
  const device = await openTrainingDevice(1);
  try {
    const size = { width, length: n, layers: 2, layer: 1, vocabulary: 2 };
    const context = { ...size, ids: f.input('ids', [1, n], 'int') };
    const x = f.parameter('x', [1, n, width]);
    const specs = attention.with().parameters(size);
    const of = (name: string) => f.parameter(name, specs[name]?.shape ?? []);
    const numbers: Record<string, Float32Array> = {};
    for (const [name, { shape }] of [...Object.entries(specs), ['x', { shape: x.shape }] as const]) {
      numbers[name] = initialNumbers({ shape, initial: { deviation: 0.5 }, decays: true }, name, 0);
    }
    const changed = numbers['x']?.slice() ?? new Float32Array();
    changed.fill(1, changedAt * width, (changedAt + 1) * width);
    // Parameters of one name are one set of numbers, whichever expression they stand in.
    const run = async (y: f.Tensor, x = numbers['x'] ?? changed) => {
      const [found = new Float32Array()] = await evaluateOn(device, [y], { ...numbers, x });
      return found;
    };
    const mixed = (options: { window?: number }) => attention.with(options).mix(x, of, context);
    const gap = (a: Float32Array, b: Float32Array) =>
      a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
    const [dense, wide, one] = [await run(mixed({})), await run(mixed({ window: n })), await run(mixed({ window: 1 }))];
    const value = await run(f.matmul(f.matmul(x, of('value')), of('out')));
    const [before, after] = [await run(mixed({ window })), await run(mixed({ window }), changed)];
    const end = (changedAt + window) * width;
    return {
      ...{ tokens: n, window, wideGap: gap(dense, wide), oneGap: gap(one, value) },
      beyond: Math.max(
        gap(before.subarray(end), after.subarray(end)),
        gap(before.subarray(0, changedAt * width), after.subarray(0, changedAt * width)),
      ),
      within: gap(before.subarray(end - width, end), after.subarray(end - width, end)),
    };
  } finally {
    await device.close();
  }
}
