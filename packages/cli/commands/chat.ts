import { LociError } from 'loci';
import { Conversation } from '../chat/conversation.ts';
import { pipedMessages, typedMessages } from '../chat/lines.ts';
import { Room } from '../chat/room.ts';
import { type Context, command } from '../command.ts';
import { generateOptions, withModel } from '../engine.ts';
import { text } from '../options/option.ts';
import { modelOptions, samplingOptions } from '../options/shared.ts';
import { counted } from '../output/format.ts';

const defaultMaxTokens = 1024;

export const chat = command({
  name: 'chat',
  summary: 'Talk with the model. Without a terminal every line of stdin is a message.',
  usage: [''],
  positionals: [],
  options: { system: text('TEXT', 'The system message'), ...samplingOptions, ...modelOptions },
  async run({ options }, context) {
    const { reporter } = context;
    await withModel(options, context, async (engine) => {
      const { model } = engine;
      const conversation = new Conversation(await engine.open(), options.system);
      const room = new Room(engine, conversation, options.system, generateOptions(options, defaultMaxTokens), context);
      if (process.stdin.isTTY && process.stdout.isTTY && !reporter.json) {
        reporter.note(`${model.name}, a window of ${counted(model.contextLength, 'token')}. /help lists the commands.`);
        await talk(room, context);
      } else {
        await readAll(room, context);
      }
      reporter.document({ turns: room.turns, ...engine.facts() });
    });
  },
});

/** What goes wrong in one turn of a person's chat is said, and the chat goes on. */
async function talk(room: Room, { reporter, interrupt }: Context): Promise<void> {
  const messages = typedMessages('> ');
  for (;;) {
    const message = await messages.next();
    if (message === undefined) return;
    try {
      if (!(await room.take(message, (work) => interrupt.within(work)))) return;
    } catch (error) {
      if (!(error instanceof LociError)) throw error;
      reporter.error(error.code === 'aborted' ? `(stopped ${reporter.done})` : error.message);
      reporter.begin('', 0);
    }
    // A Ctrl-C during something that cannot be stopped, such as saving, is heeded behind it.
    if (interrupt.signal.aborted) throw new LociError('aborted', 'left the chat');
  }
}

/** A program that talks cannot react to what goes wrong, so that ends the chat. */
async function readAll(room: Room, { interrupt }: Context): Promise<void> {
  const messages = pipedMessages(interrupt.signal);
  try {
    for (;;) {
      const message = await messages.next();
      if (message === undefined || !(await room.take(message, (work) => work(interrupt.signal)))) return;
    }
  } finally {
    messages.close();
  }
}
