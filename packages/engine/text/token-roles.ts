/**
 * Files often fail to say which tokens end an answer, so the names that models have in common are looked for as well.
 * Where a role has several names, the first that the vocabulary knows has it.
 */
export const END_OF_TURN_NAMES: readonly string[] = [
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '<｜end▁of▁sentence｜>',
  '<end_of_utterance>',
];
export const END_OF_MESSAGE_NAMES: readonly string[] = ['<|eom_id|>'];

/** Each of these ends an answer wherever it is a control token. */
const END_OF_GENERATION_NAMES: ReadonlySet<string> = new Set([
  ...END_OF_TURN_NAMES,
  ...END_OF_MESSAGE_NAMES,
  '<|return|>',
  '<|call|>',
  '<|calls|>',
  '<|flush|>',
  '</s>',
  '<eos>',
  '[EOS]',
  // Padding and separators of code completion: what follows them is another file.
  '<|fim_pad|>',
  '<fim-pad>',
  '<fim_pad>',
  '<|fim_repo|>',
  '<|repo_name|>',
  '<fim-repo>',
  '<reponame>',
  '<|file_sep|>',
]);

/** Channel formats close each message with `<|end|>` and the whole answer with another token. */
const MESSAGE_END = '<|end|>';

/**
 * Ids that end an answer: those with such a name among the control tokens, and those that the file names.
 * @param controls text → id
 */
export function endOfGeneration(
  controls: ReadonlyMap<string, number>,
  named: Iterable<number | undefined>,
): Set<number> {
  const ids = new Set<number>();
  for (const [text, id] of controls) if (END_OF_GENERATION_NAMES.has(text)) ids.add(id);
  for (const id of named) if (id !== undefined) ids.add(id);
  const isChannelFormat =
    (controls.has('<|return|>') && controls.has('<|call|>')) ||
    (controls.has('<|calls|>') && controls.has('<|flush|>'));
  const messageEnd = controls.get(MESSAGE_END);
  if (isChannelFormat && messageEnd !== undefined) ids.delete(messageEnd);
  return ids;
}

/** The first of `names` among the control tokens. */
export function firstNamed(controls: ReadonlyMap<string, number>, names: readonly string[]): number | undefined {
  return names.map((name) => controls.get(name)).find((id) => id !== undefined);
}
