import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Order, Setup, Timing, Work } from './protocol.ts';

/** An engine of `engines/` with a name for the tables; Loci may come from another checkout than this one. */
export type Contestant = { readonly name: string } & Setup &
  ({ readonly engine: 'loci'; readonly root: string } | { readonly engine: 'node-llama-cpp' });

const main = fileURLToPath(new URL('engines/main.mjs', import.meta.url));
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** Sees to it that a process ends with this one. */
export function held<P extends ChildProcess>(child: P): P {
  living.add(child);
  child.once('exit', () => living.delete(child));
  return child;
}

/** An engine in a process of its own, which stays loaded between measurements. */
export class Child {
  readonly name: string;
  readonly #process: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#process = held(child);
  }

  /** Starts the process and loads the model. @throws Error with what the engine said when it could not. */
  static async start(contestant: Contestant): Promise<Child> {
    const { name, engine, ...setup } = contestant;
    const args = contestant.engine === 'loci' ? [engine, contestant.root] : [engine];
    // Nothing but this program's own result goes to stdout.
    const child = new Child(name, fork(main, args, { stdio: ['ignore', 2, 2, 'ipc'], execArgv: [] }));
    try {
      await child.#ask({ kind: 'load', ...setup });
    } catch (error) {
      await child.stop();
      throw error;
    }
    return child;
  }

  async measure(work: Work): Promise<Timing> {
    const answer = await this.#ask({ kind: 'measure', ...work });
    if (answer.kind !== 'measured') throw new Error(`${this.name} answered "${answer.kind}" to a measurement`);
    return answer;
  }

  /** Ends the process, in whatever it is doing. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }

  #ask(order: Order): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null, signal: string | null) =>
        reject(new Error(`${this.name} ended with ${signal ?? code}`));
      this.#process.once('exit', ended);
      this.#process.once('message', (answer: Answer) => {
        this.#process.off('exit', ended);
        if (answer.kind === 'failed') reject(new Error(`${this.name}: ${answer.message}`));
        else resolve(answer);
      });
      this.#process.send(order);
    });
  }
}
