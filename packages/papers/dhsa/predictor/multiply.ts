import { Encoder } from '@loci/device';
import { matmulFloat, packFloats } from '@loci/kernels';
import type { Host } from 'loci';
import type { Multiply } from './network.ts';

/** Products in float32 by the engine's kernel. */
export function deviceMultiply(device: Host['device']): Multiply {
  return async (a, b) => {
    const rows = Math.ceil(b.rows / 8) * 8;
    const [x, w] = [4 * a.rows * a.columns, 4 * rows * b.columns];
    const address = device.allocate(x + w + 4 * a.rows * rows + 128);
    const weights = address + Math.ceil(x / 64) * 64;
    const out = weights + Math.ceil(w / 64) * 64;
    try {
      device.floats(address, a.values.length).set(a.values);
      packFloats(Float32Array.from(b.values), b.rows, b.columns, device.floats(weights, rows * b.columns));
      const encoder = new Encoder();
      const matrix = { layout: 'f32', rows: b.rows, columns: b.columns, address: weights } as const;
      encoder.record(matmulFloat(address, { matrix, n: a.rows, out, stride: rows }));
      await device.run(encoder);
      const product = device.floats(out, a.rows * rows);
      const result = new Float64Array(a.rows * b.rows);
      for (let i = 0; i < a.rows; i++) result.set(product.subarray(i * rows, i * rows + b.rows), i * b.rows);
      return result;
    } finally {
      device.free(address);
    }
  };
}
