type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The same object without the fields that are undefined, so that defaults apply where nothing was given. */
export function defined<T extends object>(values: T): Defined<T> {
  // Only undefined fields are gone, and every field of the type may be absent.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
