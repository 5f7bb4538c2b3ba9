import { type GenerateOptions, type GenerationResult, LociError } from 'loci';
import type { Context } from '../command.ts';
import { answer, costRows, type Engine } from '../engine.ts';
import { count, counted, twoColumns } from '../output/format.ts';
import { Conversation } from './conversation.ts';

export interface Turn extends GenerationResult {
  readonly prompt: string;
}

const help = twoColumns([
  ['/reset', 'start a new conversation'],
  ['/save FILE', 'write the conversation and its cache to a file'],
  ['/load FILE', 'go on with a saved conversation'],
  ['/stats', 'what the last answer cost'],
  ['/exit', 'leave, as Ctrl-D does'],
  ['Ctrl-C', 'stops an answer; at the prompt it leaves'],
]);

/** Whether a line is for the program and not for the model. */
export function isCommand(line: string): boolean {
  return /^\s*\/\w+(\s|$)/.test(line);
}

/** A chat under way: takes messages and commands, one at a time. */
export class Room {
  readonly #engine: Engine;
  readonly #system: string | undefined;
  readonly #options: GenerateOptions;
  readonly #context: Context;
  readonly turns: Turn[] = [];
  #conversation: Conversation;
  /** The last answer of this conversation. */
  #last: Turn | undefined;

  constructor(
    engine: Engine,
    conversation: Conversation,
    system: string | undefined,
    options: GenerateOptions,
    context: Context,
  ) {
    this.#engine = engine;
    this.#conversation = conversation;
    this.#system = system;
    this.#options = options;
    this.#context = context;
  }

  /** Answers a line. Returns false when the line ends the chat. */
  async take(line: string, within: (work: (signal: AbortSignal) => Promise<void>) => Promise<void>): Promise<boolean> {
    const trimmed = line.trim();
    if (trimmed === '') return true;
    if (!isCommand(trimmed)) {
      await within((signal) => this.#say(trimmed, signal));
      return true;
    }
    const [name = ''] = trimmed.split(/\s/, 1);
    return this.#obey(name, trimmed.slice(name.length).trim());
  }

  async #obey(name: string, argument: string): Promise<boolean> {
    const { reporter } = this.#context;
    switch (name) {
      case '/exit':
        return false;
      case '/help':
        reporter.note(help);
        return true;
      case '/stats':
        reporter.note(twoColumns(this.#stats()));
        return true;
      case '/reset':
        this.#replace(new Conversation(await this.#engine.open(), this.#system));
        reporter.note('A new conversation.');
        return true;
      case '/save':
        if (argument === '') throw new LociError('bad-option', '/save needs a file: /save chat.loci');
        await this.#conversation.save(argument);
        reporter.note(`Saved ${counted(this.#conversation.length, 'token')} to ${argument}.`);
        return true;
      case '/load':
        if (argument === '') throw new LociError('bad-option', '/load needs a file: /load chat.loci');
        this.#replace(new Conversation(await this.#engine.model.restore(argument), this.#system));
        reporter.note(`Loaded ${counted(this.#conversation.length, 'token')} of conversation from ${argument}.`);
        return true;
      default:
        throw new LociError('bad-option', `unknown command ${name}; /help lists them`);
    }
  }

  async #say(message: string, signal: AbortSignal): Promise<void> {
    const prompt = this.#conversation.prompt(message);
    this.#checkRoom(prompt.length);
    const ids: number[] = [];
    const { reporter } = this.#context;
    try {
      const result = await answer(this.#conversation.session, prompt, this.#options, reporter, signal, (id) =>
        ids.push(id),
      );
      this.#conversation.add(prompt, result.ids);
      this.#last = { prompt: message, ...result };
      this.turns.push(this.#last);
      if (result.stopReason === 'length')
        reporter.note(`(cut at ${counted(ids.length, 'token')}; --max-tokens allows more)`);
      if (result.stopReason === 'window') this.#checkRoom(prompt.length + ids.length);
    } catch (error) {
      // A message whose answer had not begun leaves no trace.
      if (ids.length > 0) this.#conversation.add(prompt, ids);
      throw error;
    }
  }

  /** The last token of a full window could be read but not answered. */
  #checkRoom(tokens: number): void {
    const { window } = this.#engine;
    if (tokens <= window) return;
    const sizes = `the conversation has ${count(tokens)} tokens and the window is ${count(window)}`;
    throw new LociError('too-long', `${sizes}: /reset starts a new one`);
  }

  #stats(): readonly (readonly [string, string])[] {
    const { contextLength } = this.#engine.model;
    const held = ['window', `${count(this.#conversation.length)} of ${counted(contextLength, 'token')} used`] as const;
    return this.#last ? [...costRows(this.#last, this.#engine.facts()), held] : [held];
  }

  #replace(conversation: Conversation): void {
    this.#conversation.session.close();
    this.#conversation = conversation;
    this.#last = undefined;
  }
}
