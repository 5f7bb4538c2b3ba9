/** Work in steps of some milliseconds, between which something else may run. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** All steps at once. */
export function finished<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** One step in every turn of the event loop. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
}

/** Lets everything run that is ready to run. */
export function nextTurn(): Promise<void> {
  return new Promise((wake) => {
    if (typeof setImmediate === 'function') setImmediate(wake);
    else setTimeout(wake, 0);
  });
}
