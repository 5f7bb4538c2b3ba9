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

/** A chat under way: takes messages and commands, one at a time. */
export class Room {
  readonly #engine: Engine;
  readonly #system: string | undefined;
  readonly #options: GenerateOptions;
  readonly #context: Context;
  readonly turns: Turn[] = [];
  #conversation: Conversation;

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
  async take(line: string, stop: (work: (signal: AbortSignal) => Promise<void>) => Promise<void>): Promise<boolean> {
    const trimmed = line.trim();
    if (trimmed === '') return true;
    if (!/^\/\w+( |$)/.test(trimmed)) {
      await stop((signal) => this.#say(trimmed, signal));
      return true;
    }
    const space = trimmed.indexOf(' ');
    const name = space < 0 ? trimmed : trimmed.slice(0, space);
    const argument = space < 0 ? '' : trimmed.slice(space).trim();
    return this.#obey(name, argument);
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
      this.turns.push({ prompt: message, ...result });
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
    const { contextLength } = this.#engine.model;
    if (tokens <= contextLength) return;
    const sizes = `the conversation has ${count(tokens)} tokens and the window is ${count(contextLength)}`;
    throw new LociError('too-long', `${sizes}: /reset starts a new one`);
  }

  #stats(): readonly (readonly [string, string])[] {
    const { contextLength } = this.#engine.model;
    const held = ['window', `${count(this.#conversation.length)} of ${counted(contextLength, 'token')} used`] as const;
    const last = this.turns.at(-1);
    return last ? [...costRows(last, this.#engine.facts()), held] : [held];
  }

  #replace(conversation: Conversation): void {
    this.#conversation.session.close();
    this.#conversation = conversation;
    this.turns.length = 0;
  }
}
