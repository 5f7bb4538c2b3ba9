import type { SpanKind } from './task.ts';

/** Text in parts, some of which are marked as what they are. */
export type Marked = string | { readonly kind: SpanKind; readonly parts: readonly Marked[] };

/** A part of a text, in characters [start, end). */
export interface TextSpan {
  readonly kind: SpanKind;
  readonly start: number;
  readonly end: number;
}

export function mark(kind: SpanKind, ...parts: readonly Marked[]): Marked {
  return { kind, parts };
}

/** The text as one string, and where its marked parts lie in it. */
export function flatten(parts: readonly Marked[]): { readonly text: string; readonly spans: readonly TextSpan[] } {
  let text = '';
  const spans: TextSpan[] = [];
  const add = (part: Marked): void => {
    if (typeof part === 'string') {
      text += part;
      return;
    }
    const start = text.length;
    part.parts.forEach(add);
    spans.push({ kind: part.kind, start, end: text.length });
  };
  parts.forEach(add);
  return { text, spans };
}

/** Items with a text between each two. */
export function join(items: readonly Marked[], between: string): Marked[] {
  return items.flatMap((item, i) => (i === 0 ? [item] : [between, item]));
}
