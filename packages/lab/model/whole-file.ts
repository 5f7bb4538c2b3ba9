import { open, rename } from 'node:fs/promises';

/** Writes a file in one step: whatever happens, there is the old one or the new one. */
export async function writeWhole(
  path: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  // Of its own: a process that was held up may still write while another has taken over.
  const fresh = `${path}.${process.pid}.part`;
  const file = await open(fresh, 'w');
  try {
    for await (const piece of pieces) await file.write(piece);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}
