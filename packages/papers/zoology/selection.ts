import { initialNumbers, type Mixer, openTrainingDevice, Program } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { trainingParts } from '../mixers.ts';
import { mqar } from './mqar.ts';
import { largest, occurredBefore } from './selective.ts';

const size = { width: 64, length: 64, layers: 2, layer: 1, vocabulary: 256 };
const batch = 16;

/** Selective attention beside full attention with the same numbers, on MQAR in setting S, with the kernels that train. */
export async function compareSelection() {
  const device = await openTrainingDevice(1);
  try {
    const ids = f.input('ids', [batch, size.length], 'int');
    const places = new Map<f.Tensor, number>();
    const known = new Map<string, f.Tensor>();
    const x = f.gather(parameter('embedding', [size.vocabulary, size.width], 1), ids);
    const mixed = (spec: string) => {
      const mixer: Mixer = trainingParts.mixer(spec);
      const specs = mixer.parameters(size);
      return mixer.mix(x, (name) => parameter(name, specs[name]?.shape ?? [], 0.2), { ...size, ids });
    };
    const outputs = {
      full: mixed('attention'),
      byToken: mixed('selective'),
      gated: mixed('selective:by=gate'),
      allButOne: mixed(`selective:by=gate,rows=${size.length - 1}`),
      every: f.mul(mixed('attention'), largest(f.matmul(x, parameter('gate', [size.width, 1], 0.2)), size.length)),
      none: mixed('selective:by=gate,rows=0'),
      mask: occurredBefore({ ids, vocabulary: size.vocabulary }),
    };
    const program = new Program(device, { outputs, places });
    const options = { vocabulary: 256, length: 64, pairs: 8, power: 0.01, reassigned: 0, filler: 'zero' } as const;
    for (let i = 0; i < batch; i++) program.ints('ids').set(mqar(options, `selection ${i}`).ids, i * size.length);
    await program.run();
    const output = (name: keyof typeof outputs) => program.output(name);
    const [full, byToken, gated, none, mask] = [
      output('full'),
      output('byToken'),
      output('gated'),
      output('none'),
      output('mask'),
    ];
    const [every, allButOne] = [output('every'), output('allButOne')];
    const result = { selectedRows: 0, selectedGap: 0, elsewhere: 0, everyGap: 0, rowsLeftOut: 0, none: 0 };
    for (let row = 0; row < batch * size.length; row++) {
      const gap = (a: Float32Array, b?: Float32Array) => {
        let most = 0;
        for (let c = row * size.width; c < (row + 1) * size.width; c++) {
          most = Math.max(most, Math.abs((a[c] ?? Number.NaN) - (b ? (b[c] ?? Number.NaN) : 0)));
        }
        return most;
      };
      result.none = Math.max(result.none, gap(none));
      if (mask[row] === 1) {
        result.selectedRows++;
        result.selectedGap = Math.max(result.selectedGap, gap(byToken, full));
      } else result.elsewhere = Math.max(result.elsewhere, gap(byToken));
      result.everyGap = Math.max(result.everyGap, gap(every, full));
      if (gap(allButOne, gated) > 0) result.rowsLeftOut++;
    }
    return result;

    function parameter(name: string, shape: readonly number[], deviation: number): f.Tensor {
      const found = known.get(name);
      if (found) return found;
      const one = f.parameter(name, shape);
      const numbers = initialNumbers({ shape, initial: { deviation }, decays: true }, name, 0);
      const address = device.allocate(numbers.byteLength);
      device.floats(address, numbers.length).set(numbers);
      places.set(one, address);
      known.set(name, one);
      return one;
    }
  } finally {
    await device.close();
  }
}
