import { type Device, Encoder } from '@loci/device';
import { adjustmentWordCount, adjustmentWords, type Choice, choiceWordCount, choiceWords, choose } from '@loci/kernels';

/** Writes the words of choices to an address, and their adjustments into room for so many words. */
export function placeChoices(
  device: Device,
  choices: readonly Choice[],
  address: number,
  room: (words: number) => number,
): void {
  const total = choices.reduce((sum, { adjustments }) => sum + adjustments.length, 0) * adjustmentWordCount;
  let at = total > 0 ? room(total) : 0;
  for (const [i, choice] of choices.entries()) {
    const words = choiceWords(choice, at);
    device.ints(address + i * choiceWordCount * 4, choiceWordCount).set(words);
    const adjustments = adjustmentWords(choice.adjustments);
    if (adjustments.length > 0) device.ints(at, adjustments.length).set(adjustments);
    at += adjustments.byteLength;
  }
}

/**
 * Chooses a token from logits that lie outside of device memory; −1 where they hold a NaN or no finite number. May be
 * called while a program runs.
 */
export async function chooseFrom(device: Device, logits: Float32Array, choice: Choice): Promise<number> {
  const columns = logits.length;
  const rooms: number[] = [];
  const room = (words: number) => {
    const address = device.allocate(words * 4);
    rooms.push(address);
    return address;
  };
  try {
    const [x, choices, out] = [room(columns), room(choiceWordCount), room(1)];
    device.floats(x, columns).set(logits);
    placeChoices(device, [choice], choices, room);
    const encoder = new Encoder();
    encoder.record(choose({ x, stride: columns, n: 1, columns, choices, out }));
    await device.run(encoder);
    return device.ints(out, 1)[0] ?? -1;
  } finally {
    for (const address of rooms) device.free(address);
  }
}
