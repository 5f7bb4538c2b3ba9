import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';

/** A line of the log: a step, or an evaluation behind it. */
export interface LogRow {
  /** Steps that are done. */
  readonly step: number;
  readonly loss: number;
  readonly rate: number;
  /** Length of the gradient before it was cut. */
  readonly gradient: number;
  /** On the validation split, where it was asked for. */
  readonly accuracy?: number;
}

const head = 'step,loss,rate,gradient,accuracy';

/** The course of training as a CSV file. What training repeats after a kill is written once. */
export class TrainingLog {
  readonly #path: string;
  #waiting: string[] = [];

  private constructor(path: string) {
    this.#path = path;
  }

  /** Opens the log for what follows on `step`: later rows are those of a run that was killed, and go. */
  static async open(path: string, step: number): Promise<TrainingLog> {
    const old = step === 0 ? '' : await readFile(path, 'utf8').catch(() => '');
    const kept = old.split('\n').filter((line) => Number.parseInt(line, 10) <= step);
    await writeFile(`${path}.part`, [head, ...kept, ''].join('\n'));
    await rename(`${path}.part`, path);
    return new TrainingLog(path);
  }

  add({ step, loss, rate, gradient, accuracy }: LogRow): void {
    this.#waiting.push([step, loss, rate, gradient, accuracy ?? ''].join());
  }

  async flush(): Promise<void> {
    const lines = this.#waiting.splice(0);
    if (lines.length > 0) await appendFile(this.#path, `${lines.join('\n')}\n`);
  }
}
