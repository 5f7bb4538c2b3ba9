import { pageBytes, pageFormats, pageSlots } from './append/index.ts';
import { attendKinds } from './attend/index.ts';
import { type Command, opcodes } from './command.ts';
import { layouts, matrixBytes } from './matmul/layout.ts';
import { progressiveBytes } from './progressive/index.ts';

/** What a command cannot do without, whatever the kernel: the bytes it reads once, and the operations. */
export interface Work {
  /** Bytes of weights or cache pages. */
  readonly bytes: number;
  /** Multiplications and additions. */
  readonly ops: number;
  readonly arithmetic: 'integer' | 'float';
}

/** A command in words. */
export interface Described {
  readonly kernel: string;
  /** What tells its calls apart: sizes of a matrix, format of a cache. */
  readonly shape: string;
  /** Absent for kernels that only touch what lies in the processor's caches, and for those that nobody described. */
  readonly work?: Work;
}

/**
 * Name, shape and work of a command. `keys` is how many keys lie in the cache when it is done, its own tokens included,
 * which attention sees as far as the mask and its window let it.
 */
export function describeCommand({ opcode, words }: Command, keys: number): Described {
  const kernel = Object.entries(opcodes).find(([, code]) => code === opcode)?.[0] ?? `opcode ${opcode}`;
  switch (opcode) {
    case opcodes.matmul:
    case opcodes.matmulFloat: {
      const [, layoutIndex = -1, rows = 0, columns = 0, , , n = 0] = words;
      const layout = layouts[layoutIndex];
      if (!layout) return { kernel, shape: '' };
      const arithmetic = opcode === opcodes.matmul ? 'integer' : 'float';
      const work = { bytes: matrixBytes(layout, rows, columns), ops: 2 * n * rows * columns, arithmetic } as const;
      return { kernel, shape: `${columns} → ${rows}, ${layout}`, work };
    }
    case opcodes.progressive:
    case opcodes.progressiveFloat: {
      const [, rows = 0, columns = 0, group = 0, ...rest] = words;
      const isFloat = opcode === opcodes.progressiveFloat;
      const ops = 2 * ((isFloat ? rest[1] : rest[2]) ?? 0) * rows * columns;
      const work = {
        bytes: progressiveBytes(rows, columns, group),
        ops,
        arithmetic: isFloat ? 'float' : 'integer',
      } as const;
      return { kernel, shape: `${columns} → ${rows}, groups of ${group}`, work };
    }
    case opcodes.attend: {
      const [, n = 0, h = 0, g = 0, d = 0, , , , , window = 0, formatIndex = -1, , , , , kindIndex = -1, lists = 0] =
        words;
      const format = pageFormats[formatIndex];
      if (!format) return { kernel, shape: '' };
      // How much lists name is known when they are read.
      if (lists) return { kernel, shape: `${format}, lists` };
      const seen = (key: number) => (window > 0 ? Math.min(window, key) : key);
      let pairs = 0;
      for (let i = 0; i < n; i++) pairs += seen(keys - i);
      const pages = Math.ceil(Math.min(keys, seen(keys) + n - 1) / pageSlots);
      const kind = attendKinds[kindIndex];
      return {
        kernel,
        shape: format,
        work: {
          bytes: g * pages * pageBytes(format, d),
          ops: 4 * h * d * pairs,
          arithmetic: kind === 'floats' || kind === 'halves' ? 'float' : 'integer',
        },
      };
    }
    default:
      return { kernel, shape: '' };
  }
}
