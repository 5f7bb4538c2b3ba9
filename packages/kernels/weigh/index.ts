import { type PageFormat, pageFormats, pageSlots } from '../append/index.ts';
import { type Command, command, floatWord } from '../command.ts';

export interface Weigh {
  /** Address of float32 [n, h, d]. */
  readonly queries: number;
  readonly n: number;
  readonly h: number;
  readonly g: number;
  readonly d: number;
  /** Address of [g] head entries. */
  readonly heads: number;
  /** Slots behind the used ones of every head that have been written by now. */
  readonly appended: number;
  /** Address of int32 [n]. */
  readonly positions: number;
  readonly scale: number;
  readonly window: number;
  readonly format: PageFormat;
  /** Room for 2 n h floats. */
  readonly states: number;
  /** Address of float32 [n, h, stride], or of [h, stride] to which the rows are added. */
  readonly out: number;
  /** Floats of a row: whole pages (`weighStride`). */
  readonly stride: number;
  readonly rows: 'each' | 'added';
}

/** Floats of a row of weights over this many slots. */
export function weighStride(slots: number): number {
  return Math.ceil(slots / pageSlots) * pageSlots;
}

/**
 * Attention weights softmax(scale · q·k) in float32, whatever the format of the pages, for the slots in their order; slots
 * beyond those of a head have weight 0.
 */
export function weigh(w: Weigh): readonly Command[] {
  const words = [
    ...[w.queries, w.n, w.h, w.g, w.d, w.heads, w.positions, w.states],
    ...[floatWord(w.scale * Math.LOG2E), w.window, pageFormats.indexOf(w.format), w.appended],
  ];
  const rows = w.rows === 'added' ? 1 : 0;
  return [command('weighStates', words), command('weigh', [...words, w.out, w.stride, rows])];
}
