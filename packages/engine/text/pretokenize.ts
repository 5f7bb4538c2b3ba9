/**
 * One stage of cutting text into words, as in the `pre_tokenizer` of a Hugging Face tokenizer.json. The stages run one
 * inside the other: each sees only one piece of the stage before, so that a look-ahead ends where its piece ends.
 */
export type Step =
  | {
      readonly kind: 'split';
      /** Flags `gu`; nothing else may use this object. */
      readonly pattern: RegExp;
      /** What becomes of a match: a piece of its own, nothing, or a part of a neighbour. */
      readonly behavior: 'isolated' | 'removed' | 'merged-with-previous' | 'merged-with-next' | 'contiguous';
    }
  /** Puts a space before a piece that does not begin with one. */
  | { readonly kind: 'prefix-space' };

/** Calls `visit` with every word of `text`, from left to right. */
export function forEachWord(text: string, steps: readonly Step[], visit: (word: string) => void): void {
  if (text !== '') runStep(text, steps, 0, visit);
}

function runStep(text: string, steps: readonly Step[], index: number, visit: (word: string) => void): void {
  const step = steps[index];
  if (step === undefined) {
    visit(text);
    return;
  }
  if (step.kind === 'prefix-space') {
    runStep(text.startsWith(' ') ? text : ` ${text}`, steps, index + 1, visit);
    return;
  }
  const emit = index + 1 === steps.length ? visit : (piece: string): void => runStep(piece, steps, index + 1, visit);
  const { pattern, behavior } = step;
  /** Start of what was not yet emitted. */
  let start = 0;
  /** End of a run of matches that touch; only `contiguous` moves it. */
  let matchEnd = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const from = match.index;
    const to = pattern.lastIndex;
    if (to === from) {
      // A match of nothing would be found for ever; the flag `u` makes whole characters the unit of progress.
      pattern.lastIndex = to + ((text.codePointAt(to) ?? 0) > 0xffff ? 2 : 1);
      continue;
    }
    switch (behavior) {
      case 'isolated':
      case 'removed':
        if (from > start) emit(text.slice(start, from));
        if (behavior === 'isolated') emit(match[0]);
        start = to;
        break;
      case 'merged-with-previous':
        emit(text.slice(start, to));
        start = to;
        break;
      case 'merged-with-next':
        if (from > start) emit(text.slice(start, from));
        start = from;
        break;
      case 'contiguous':
        if (from > matchEnd) {
          if (matchEnd > start) emit(text.slice(start, matchEnd));
          if (from > Math.max(start, matchEnd)) emit(text.slice(Math.max(start, matchEnd), from));
          start = from;
        }
        matchEnd = to;
        break;
    }
  }
  if (matchEnd > start) {
    emit(text.slice(start, matchEnd));
    start = matchEnd;
  }
  if (start < text.length) emit(text.slice(start));
}
