import { z } from 'zod';

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A number, or its digits: what else `Number` would make one of (nothing, blanks, hexadecimals) is a slip. */
export function anyNumber() {
  return z
    .union([z.number(), z.string()])
    .transform((given) => (typeof given === 'number' || decimal.test(given) ? Number(given) : Number.NaN))
    .pipe(z.number());
}

/** A whole number, from a command line or from code. */
export function whole(min: number, max: number, fallback: number, help: string) {
  return anyNumber().pipe(z.number().int().min(min).max(max)).prefault(fallback).describe(help);
}

export function number(min: number, max: number, fallback: number, help: string) {
  return anyNumber().pipe(z.number().min(min).max(max)).prefault(fallback).describe(help);
}

export function choice<const C extends readonly [string, ...string[]]>(choices: C, fallback: C[number], help: string) {
  return z.enum(choices).default(fallback).describe(help);
}

const budgetForm = /^(\d+)$|^(\d+(?:\.\d+)?)%$/;

/** How much is kept: a number of slots per head, or a share of the prompt as `25%`. */
export function budget(fallback: number | string, help: string) {
  return z
    .union([z.number(), z.string()])
    .transform(String)
    .refine((text) => budgetForm.test(text) && slotsOf(text, 1_000_000) > 0 && Number.parseFloat(text) >= 0, {
      message: 'it must be a number of slots, 1 or more, or a share of the prompt such as 25%',
    })
    .refine((text) => !text.endsWith('%') || Number.parseFloat(text) <= 100, { message: 'it must be at most 100%' })
    .default(String(fallback))
    .describe(help);
}

/** Slots of a budget for a prompt of n tokens. */
export function slotsOf(budget: string, n: number): number {
  const amount = Number.parseFloat(budget);
  return budget.endsWith('%') ? Math.floor((n * amount) / 100) : amount;
}
