import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { bestBuild, isRightOn, type KernelBuild } from '../../device/features.ts';
import { allowWideVectors } from '../../engine/platform/node-wide.ts';
import type { Command } from '../command.ts';

/** All but those that differ from `relaxed` in products alone. */
export const builds: readonly KernelBuild[] = ['relaxed', 'plain'];
/** For the tests of products: all that this machine computes right. */
export const productBuilds = builds.concat('pairs', 'bytes').filter((build) => isRightOn(bestBuild(), build));

/** Where kernels' arguments can be put: a `Machine` here, a device elsewhere. */
export interface Room {
  /** Address of a copy of the values, aligned to 64, which kernels only read. */
  input(values: Float32Array | Int32Array | Uint8Array): number;
  /** Address of bytes that kernels may write; they start as given, or as poison. */
  output(bytes: number, values?: Float32Array | Int32Array | Uint8Array): number;
}

interface Region {
  readonly address: number;
  readonly bytes: number;
}

// What is tested is what runs: the optimising compiler's code, with vectors as wide as the engine lets them be.
allowWideVectors();
setFlagsFromString('--no-liftoff');

const pageBytes = 65536;
const controlAddress = 1024;
/** Memory below is the control block's, the kernels' tables of numbers' and nobody's. */
const firstAddress = 2048;
/** Untouched bytes behind every allocation. */
const gap = 64;
/** As bytes −1, as int32 −1, as half and float32 NaN. */
const poison = 255;

/**
 * One build of the kernels on this thread, with a memory of its own that is poison wherever nothing was put. A run fails
 * when it writes anywhere but into an output.
 */
export class Machine implements Room {
  readonly build: KernelBuild;
  readonly #memory: WebAssembly.Memory;
  readonly #walk: (program: number, control: number, threads: number, scratch: number) => unknown;
  readonly #bytes: Uint8Array<ArrayBufferLike>;
  readonly #base: number;
  #top: number;
  #outputs: Region[] = [];

  /** `base` is the lowest address that is given out; the memory is 32 MiB beyond it, of which only what is used is real. */
  constructor(build: KernelBuild, base = firstAddress) {
    this.build = build;
    const pages = Math.ceil(base / pageBytes) + 512;
    this.#memory = new WebAssembly.Memory({ initial: Math.min(pages, 65536), maximum: 65536, shared: true });
    const code = readFileSync(new URL(`../build/${build}.wasm`, import.meta.url));
    const walk = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory: this.#memory } }).exports[
      'walk'
    ];
    if (typeof walk !== 'function') throw new Error('no export "walk"');
    this.#walk = (...args) => walk(...args);
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#base = base;
    this.#top = base;
    this.#bytes.fill(poison, base, base + pageBytes);
  }

  /** Forgets everything that was put here. */
  reset(): this {
    this.#bytes.fill(poison, this.#base, Math.min(this.#top + pageBytes, this.#bytes.length));
    this.#top = this.#base;
    this.#outputs = [];
    return this;
  }

  input(values: Float32Array | Int32Array | Uint8Array): number {
    const address = this.#allocate(values.byteLength);
    this.#bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), address);
    return address;
  }

  output(bytes: number, values?: Float32Array | Int32Array | Uint8Array): number {
    const address = values ? this.input(values) : this.#allocate(bytes);
    this.#outputs.push({ address, bytes });
    return address;
  }

  /** Copies of what lies at an address. */
  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length).slice();
  }

  ints(address: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, address, length).slice();
  }

  bytes(address: number, length: number): Uint8Array {
    return this.#bytes.slice(address, address + length);
  }

  /** Runs the commands on this thread with exactly as much scratch memory as said. */
  run(commands: readonly Command[], scratchBytes = 0): void {
    const words = commands.flatMap(({ opcode, words, join }) => [opcode, words.length, join ? 1 : 0, 0, ...words]);
    const program = this.output(4 * words.length + 4, Int32Array.of(...words, 0));
    const scratch = this.output(scratchBytes);
    const end = Math.min(this.#top + pageBytes, this.#bytes.length);
    const before = this.#bytes.slice(0, firstAddress);
    const after = this.#bytes.slice(this.#base, end);
    const ended = this.#walk(program, controlAddress, 1, scratch);
    if (ended !== 0) throw new Error(`the program ended with ${String(ended)}`);
    this.#compare(before, 0);
    this.#compare(after, this.#base);
  }

  /** Throws when a byte outside the outputs is not what it was. */
  #compare(was: Uint8Array, address: number): void {
    let from = address;
    const end = address + was.length;
    for (const { address: next, bytes } of [...this.#outputs, { address: end, bytes: 0 }]) {
      if (next < from || next > end) continue;
      const is = Buffer.from(this.#bytes.buffer, from, next - from);
      if (is.compare(was, from - address, next - address) !== 0) {
        const at = from + is.findIndex((byte, i) => byte !== was[from - address + i]);
        throw new Error(`a kernel wrote to ${at}, which is ${at - from} bytes behind the output before it`);
      }
      from = next + bytes;
    }
  }

  #allocate(bytes: number): number {
    const address = this.#top;
    this.#top = Math.ceil((address + bytes + gap) / 64) * 64;
    if (this.#top + gap > this.#bytes.length) throw new Error(`the test's memory is too small for ${bytes} bytes more`);
    return address;
  }
}
