import { type Device, Encoder } from '@loci/device';
import { type ProgressiveRows, packProgressive, progressiveSums } from '@loci/kernels';
import type { Activations } from './weights.ts';

/** Integer products by the WebAssembly kernel; rows are a multiple of 4. */
export async function deviceProducts(device: Device, w: ProgressiveRows, { n, q }: Activations): Promise<Int32Array> {
  const { rows, columns, group } = w;
  const sums = Int32Array.from({ length: q.length / group }, (_, i) =>
    q.subarray(i * group, (i + 1) * group).reduce((a, b) => a + b, 0),
  );
  const held: number[] = [];
  const place = (bytes: Uint8Array) => {
    const address = device.allocate(bytes.length);
    held.push(address);
    device.bytes(address, bytes.length).set(bytes);
    return address;
  };
  const out = place(new Uint8Array(4 * n * rows));
  const encoder = new Encoder();
  encoder.record(
    progressiveSums(
      { q: place(new Uint8Array(q.slice().buffer)), sums: place(new Uint8Array(sums.buffer)) },
      {
        matrix: { layout: 'progressive', rows, columns, group, address: place(packProgressive(w)) },
        ...{ n, out, stride: rows },
      },
    ),
  );
  try {
    await device.run(encoder);
    return device.ints(out, n * rows).slice();
  } finally {
    for (const address of held) device.free(address);
  }
}
