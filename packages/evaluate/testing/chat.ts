import { loadTokenizer } from 'loci';
import type { TaskModel } from '../tasks/task.ts';

/** The bundled model's tokenizer with its chat template written out: a task's model without weights. */
export async function chatModel(): Promise<TaskModel> {
  const tokenizer = await loadTokenizer();
  const system = 'You are a helpful AI assistant named SmolLM, trained by Hugging Face';
  return {
    tokenizer,
    render: (messages) =>
      [
        `<|im_start|>system\n${system}<|im_end|>\n`,
        ...messages.map(({ role, content }) => `<|im_start|>${role}\n${tokenizer.inert(String(content))}<|im_end|>\n`),
        '<|im_start|>assistant\n',
      ].join(''),
  };
}
