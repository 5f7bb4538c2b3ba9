import { openTrainingDevice, Program } from '@loci/lab';
import type * as f from '@loci/lab/arrays';
import type { Form } from '../mixing/compare.ts';
import { formInputs } from '../mixing/compare.ts';
import { chunked, parallel } from './forms.ts';

const slopes = [0.01];
const repeats = 5;

/** Microseconds per token of the block form and of the left product. */
export async function timeForms(lengths: readonly number[], say: (what: string) => void) {
  const device = await openTrainingDevice(1);
  try {
    const time = async (form: Form, n: number) => {
      const { numbers, tensors } = formInputs({ batch: 1, heads: 1, n, d: 64, e: 64 });
      const places = new Map<f.Tensor, number>();
      for (const [i, name] of (['q', 'k', 'v'] as const).entries()) {
        const address = device.allocate(numbers[name].byteLength);
        device.floats(address, numbers[name].length).set(numbers[name]);
        const one = tensors[i];
        if (one) places.set(one, address);
      }
      const program = new Program(device, { outputs: { y: form(...tensors) }, places });
      const times: number[] = [];
      // The first two bring code and memory in.
      for (let i = 0; i < repeats + 2; i++) {
        const started = performance.now();
        await program.run();
        if (i >= 2) times.push(performance.now() - started);
      }
      program.free();
      for (const address of places.values()) device.free(address);
      return (1000 * (times.sort((a, b) => a - b)[(repeats - 1) / 2] ?? Number.NaN)) / n;
    };
    const rows: { n: number; blockUs: number; leftUs: number }[] = [];
    for (const n of lengths) {
      say(`${n} tokens`);
      const blockUs = await time((q, k, v) => chunked(q, k, v, slopes, 64), n);
      rows.push({ n, blockUs, leftUs: await time((q, k, v) => parallel(q, k, v, slopes), n) });
    }
    return rows;
  } finally {
    await device.close();
  }
}
