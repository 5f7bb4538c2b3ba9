import { evaluateOn, initialNumbers, openTrainingDevice } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { trainingParts } from '../mixers.ts';
import { mqar } from './mqar.ts';
import { largest, occurredBefore } from './selective.ts';

const size = { width: 64, length: 64, layers: 2, layer: 1, vocabulary: 256 };
const batch = 16;
const task = { vocabulary: 256, length: 64, pairs: 8, power: 0.01, reassigned: 0, filler: 'zero' } as const;

/** Selective attention beside full attention with the same numbers, on MQAR in setting S, with the kernels that train. */
export async function compareSelection() {
  const numbers: Record<string, ArrayLike<number>> = {
    ids: Array.from({ length: batch }, (_, i) => [...mqar(task, `selection ${i}`).ids]).flat(),
  };
  const known = new Map<string, f.Tensor>();
  const parameter = (name: string, shape: readonly number[]): f.Tensor => {
    const found = known.get(name) ?? f.parameter(name, shape);
    known.set(name, found);
    numbers[name] ??= initialNumbers({ shape, initial: { deviation: 0.3 }, decays: true }, name, 0);
    return found;
  };
  const ids = f.input('ids', [batch, size.length], 'int');
  const x = f.gather(parameter('embedding', [size.vocabulary, size.width]), ids);
  const mixed = (spec: string) => {
    const mixer = trainingParts.mixer(spec);
    const specs = mixer.parameters(size);
    return mixer.mix(x, (name) => parameter(name, specs[name]?.shape ?? []), { ...size, ids });
  };
  const gates = f.matmul(x, parameter('gate', [size.width, 1]));
  const device = await openTrainingDevice(1);
  try {
    const [full, byToken, gated, every, allButOne, none, mask] = await evaluateOn(
      device,
      [
        mixed('attention'),
        mixed('selective'),
        mixed('selective:by=gate'),
        f.mul(mixed('attention'), largest(gates, size.length)),
        mixed(`selective:by=gate,rows=${size.length - 1}`),
        mixed('selective:by=gate,rows=0'),
        occurredBefore({ ids, vocabulary: size.vocabulary }),
      ],
      numbers,
    );
    const result = { selectedRows: 0, selectedGap: 0, elsewhere: 0, everyGap: 0, rowsLeftOut: 0, none: 0 };
    for (let row = 0; row < batch * size.length; row++) {
      const gap = (a: Float32Array | undefined, b?: Float32Array) => {
        let most = 0;
        for (let c = row * size.width; c < (row + 1) * size.width; c++) {
          most = Math.max(most, Math.abs((a?.[c] ?? Number.NaN) - (b ? (b[c] ?? Number.NaN) : 0)));
        }
        return most;
      };
      result.none = Math.max(result.none, gap(none));
      if (mask?.[row] === 1) {
        result.selectedRows++;
        result.selectedGap = Math.max(result.selectedGap, gap(byToken, full));
      } else result.elsewhere = Math.max(result.elsewhere, gap(byToken));
      result.everyGap = Math.max(result.everyGap, gap(every, full));
      if (gap(allButOne, gated) > 0) result.rowsLeftOut++;
    }
    return result;
  } finally {
    await device.close();
  }
}
