import type { Command } from '@loci/kernels';

/** Records commands into the form that workers walk: opcode, argument words, join, counter, arguments …, 0. */
export class Encoder {
  #words = new Int32Array(1024);
  #length = 0;
  #program: Int32Array | undefined;

  record(...commands: readonly (Command | readonly Command[])[]): void {
    this.#program = undefined;
    for (const one of commands) {
      if ('opcode' in one) this.#push(one);
      else for (const command of one) this.#push(command);
    }
  }

  #push({ opcode, words, join }: Command): void {
    const need = this.#length + words.length + 5;
    if (need > this.#words.length) {
      const larger = new Int32Array(need * 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    const at = this.#length;
    this.#words[at] = opcode;
    this.#words[at + 1] = words.length;
    this.#words[at + 2] = join ? 1 : 0;
    this.#words[at + 3] = 0;
    this.#words.set(words, at + 4);
    this.#length = at + 4 + words.length;
  }

  /** What is recorded by now, ended by opcode 0; what is recorded later does not change it. */
  program(): Int32Array {
    // Behind what is recorded there are zeros.
    this.#program ??= this.#words.slice(0, this.#length + 1);
    return this.#program;
  }
}

/** The commands of a program, as they were recorded. */
export function commandsOf(program: Int32Array): readonly Command[] {
  const commands: Command[] = [];
  for (let at = 0; ; ) {
    const [opcode = 0, count = 0, join] = program.subarray(at, at + 3);
    if (opcode === 0) return commands;
    const end = at + 4 + count;
    commands.push({ opcode, words: Array.from(program.subarray(at + 4, end)), join: join === 1 });
    at = end;
  }
}
