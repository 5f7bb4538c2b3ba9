import { LociError } from 'loci';
import { commandHelp } from './options/help.ts';
import { flag, type OptionTable, usage } from './options/option.ts';
import { type Parsed, type Positional, parse } from './options/parse.ts';
import type { Interrupt } from './output/interrupt.ts';
import type { Reporter } from './output/reporter.ts';

/** What a command has beside its arguments: where it writes, and the signal that stops it. */
export interface Context {
  readonly reporter: Reporter;
  readonly interrupt: Interrupt;
}

export interface CommandDefinition<S extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  /** The arguments as the usage line shows them, one line for each way. */
  readonly usage: readonly string[];
  readonly positionals: readonly Positional[];
  /** The options of its own; those of the output are everywhere. */
  readonly options: S;
  run(parsed: Parsed<S>, context: Context): Promise<void>;
}

/** A command as the program sees it: the types of its options are its own business. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly help: string;
  run(args: readonly string[], context: Context): Promise<void>;
}

/** Read before anything else, since they say how even a wrong command line is answered. */
const outputOptions = {
  json: flag('Print one JSON document on stdout'),
  quiet: flag('Print neither progress nor remarks'),
  help: flag('Print this text'),
};

export function command<S extends OptionTable>(definition: CommandDefinition<S>): Command {
  const { name, summary, positionals } = definition;
  const options = { ...definition.options, ...outputOptions };
  const parsed = (args: readonly string[]) => {
    try {
      return parse<S>(args, options, positionals);
    } catch (error) {
      if (error instanceof LociError) throw usage(`${error.message}; see loci ${name} --help`);
      throw error;
    }
  };
  return {
    name,
    summary,
    help: commandHelp({ ...definition, options }),
    run: (args, context) => definition.run(parsed(args), context),
  };
}
