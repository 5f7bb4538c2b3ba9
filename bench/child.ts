import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Order, Timing } from './protocol.ts';

/** An engine in a process of its own, which stays loaded between measurements. */
export class Child {
  readonly name: string;
  readonly #process: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#process = child;
  }

  /** Starts an engine of `engines/` and loads a model. */
  static async start(name: string, engine: 'loci' | 'node-llama-cpp', path: string, threads: number): Promise<Child> {
    const script = fileURLToPath(new URL(`engines/${engine}.ts`, import.meta.url));
    // Nothing but this program's own result goes to stdout.
    const child = new Child(name, fork(script, { stdio: ['ignore', 2, 2, 'ipc'], execArgv: [] }));
    await child.#ask({ kind: 'load', path, threads });
    return child;
  }

  async measure(ids: readonly number[], decode: number): Promise<Timing> {
    const answer = await this.#ask({ kind: 'measure', ids, decode });
    if (answer.kind !== 'measured') throw new Error(`${this.name} answered "${answer.kind}" to a measurement`);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.disconnect();
    await gone;
  }

  #ask(order: Order): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const failed = (code: number | null) => reject(new Error(`${this.name} ended with ${code}`));
      this.#process.once('exit', failed);
      this.#process.once('message', (answer: Answer) => {
        this.#process.off('exit', failed);
        resolve(answer);
      });
      this.#process.send(order);
    });
  }
}
