import { type ChatMessage, LociError, type Model, type Session } from 'loci';

/** Stands for an answer where only the text around it is wanted. */
const answerMark = 'loci-answer';

/**
 * The turns of a chat as the ids that the model read and wrote. They only ever grow, so every prompt begins with what
 * the session's cache holds; writing the conversation anew from its texts could split them into other tokens.
 */
export class Conversation {
  readonly session: Session;
  readonly #system: string | undefined;
  #ids: readonly number[];

  /** A session that was saved goes on where it was. */
  constructor(session: Session, system: string | undefined) {
    this.session = session;
    this.#system = system;
    this.#ids = session.ids;
  }

  get length(): number {
    return this.#ids.length;
  }

  /** The whole conversation with the user's next message. @throws LociError `unsupported`, `bad-template`. */
  prompt(message: string): readonly number[] {
    const { model } = this.session;
    const text = this.#ids.length === 0 ? this.#opening(message) : followUp(model, message);
    return [...this.#ids, ...model.tokenizer.encode(text, { special: 'parse' })];
  }

  /** Takes a prompt and its answer, or as much of it as there is, into the conversation. */
  add(prompt: readonly number[], answer: readonly number[]): void {
    this.#ids = [...prompt, ...answer];
  }

  /** Writes the conversation and its cache to a file. @throws LociError `bad-option` when there is none, or no such place. */
  async save(path: string): Promise<void> {
    if (this.#ids.length === 0) throw new LociError('bad-option', 'there is nothing to save yet');
    // The last token of an answer that was cut is not in the cache yet.
    await this.session.prefill({ ids: this.#ids });
    try {
      await this.session.save(path);
    } catch (error) {
      if (error instanceof LociError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new LociError('bad-option', `${path}: cannot be written (${reason})`, { cause: error });
    }
  }

  #opening(message: string): string {
    const system: ChatMessage[] = this.#system === undefined ? [] : [{ role: 'system', content: this.#system }];
    return this.session.model.render([...system, { role: 'user', content: message }]);
  }
}

/** What the chat template puts between an answer and the next one: the end of that turn and the user's message. */
function followUp(model: Model, message: string): string {
  const text = model.render([
    { role: 'user', content: '?' },
    { role: 'assistant', content: answerMark },
    { role: 'user', content: message },
  ]);
  const at = text.indexOf(answerMark);
  if (at >= 0) return text.slice(at + answerMark.length);
  throw new LociError(
    'unsupported',
    `the chat template of ${model.name} does not show earlier answers: it has one turn only`,
  );
}
