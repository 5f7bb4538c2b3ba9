import { fileURLToPath } from 'node:url';

/** This checkout. */
export const root = fileURLToPath(new URL('..', import.meta.url));
/** What can be made again: requantised files, other revisions, figures of quick runs. Ignored by git. */
export const cacheFolder = fileURLToPath(new URL('.cache', import.meta.url));
/** The figures that documents show. */
export const resultsFolder = fileURLToPath(new URL('results', import.meta.url));
