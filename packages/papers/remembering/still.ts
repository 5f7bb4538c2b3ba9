import type { Encoder } from '@loci/device';
import { copy, rope, ropeTables } from '@loci/kernels';
import type { Architecture, Host, LayerView } from 'loci';
import { Room } from '../methods/room.ts';

type Shape = Architecture['layers'][number];

/**
 * Queries and keys of a program's rows with their rotation taken back: keys stand at position 0, and queries at one and
 * the same position, wherever they are in the text.
 */
export class StillRows {
  readonly #host: Host;
  /** Distinct rotations, of which every layer has one. */
  readonly #rotations: readonly Shape[];
  readonly #room: Room;
  /** That there is room for. */
  #rows = 0;

  constructor(host: Host) {
    const { layers } = host.arch;
    this.#host = host;
    this.#room = new Room(host.device);
    this.#rotations = layers.filter(
      (one, i) => layers.findIndex(({ frequencies }) => frequencies === one.frequencies) === i,
    );
  }

  /** Tells rotations apart: keys that were unrotated by one are not to be compared under another. */
  get rotation(): string {
    return this.#rotations
      .map(({ frequencies }) => Array.from(frequencies, (one) => one.toPrecision(12)).join(' '))
      .join('; ');
  }

  /**
   * A program of n rows begins, the first of which is at `position`.
   * @param at Where queries stand. @param shown By how much later keys say that they are.
   */
  begin(n: number, position: number, at: number, shown: number): void {
    const { device, arch } = this.#host;
    const room = this.places(n);
    device.ints(room.numbers, n).set(Int32Array.from({ length: n }, (_, i) => i));
    device.ints(room.shown, n).set(Int32Array.from({ length: n }, (_, i) => position + i + shown));
    device.ints(room.last, n).fill(position + n - 1);
    const pairs = arch.rotated / 2;
    for (const [i, { frequencies }] of this.#rotations.entries()) {
      for (const which of ['queries', 'keys'] as const) {
        const to = which === 'queries' ? at : 0;
        ropeTables(
          device.floats(room.table(i, which, 'cos'), n * pairs),
          device.floats(room.table(i, which, 'sin'), n * pairs),
          Int32Array.from({ length: n }, (_, row) => to - (position + row)),
          frequencies,
        );
      }
    }
  }

  /** Records what fills `queries` and `keys` of `places` for a layer. */
  record(encoder: Encoder, { layer, n, queries, keys }: LayerView): void {
    const { heads: h, kvHeads: g, headSize: d, pairs, rotated, layers } = this.#host.arch;
    const room = this.places(n);
    const table = this.#rotations.findIndex(({ frequencies }) => frequencies === layers[layer]?.frequencies);
    const angles = (which: 'queries' | 'keys') => ({
      cos: room.table(table, which, 'cos'),
      sin: room.table(table, which, 'sin'),
    });
    const rows = { rows: room.numbers, n };
    encoder.record(
      copy({ ...rows, from: queries, stride: h * d, columns: h * d, out: room.queries }),
      copy({ ...rows, from: keys, stride: g * d, columns: g * d, out: room.keys }),
      rope({ x: room.queries, n, heads: h, d, rotated, pairs, ...angles('queries'), join: false }),
      rope({ x: room.keys, n, heads: g, d, rotated, pairs, ...angles('keys') }),
    );
  }

  /** Addresses: queries [n, h, d] and keys [n, g, d], positions [n] that keys say, and [n] times that of the last row. */
  places(n: number) {
    const { heads: h, kvHeads: g, headSize: d, rotated } = this.#host.arch;
    const tables = 4 * this.#rotations.length;
    const floats = h * d + g * d + 3 + (tables * rotated) / 2;
    this.#rows = Math.max(this.#rows, n);
    const rows = this.#rows;
    let at = this.#room.reserve(4 * rows * floats);
    const place = (width: number) => {
      const here = at;
      at += 4 * rows * width;
      return here;
    };
    const [queries, keys] = [place(h * d), place(g * d)];
    const [numbers, shown, last] = [place(1), place(1), place(1)];
    const first = at;
    const table = (rotation: number, which: 'queries' | 'keys', of: 'cos' | 'sin') =>
      first + 2 * rows * rotated * (4 * rotation + (which === 'keys' ? 2 : 0) + (of === 'sin' ? 1 : 0));
    return { queries, keys, numbers, shown, last, table };
  }

  close(): void {
    this.#room.close();
  }
}
