import { writeFile } from 'node:fs/promises';
import { isPageFormat, type OpenOptions, type Session } from 'loci';
import type { Values } from './options/option.ts';
import type { methodOptions } from './options/shared.ts';

export type MethodValues = Values<typeof methodOptions>;
export type Methods = Pick<OpenOptions, 'attend' | 'keep' | 'store' | 'remember' | 'steer' | 'probes'>;

/** Of commands that choose methods and precision by themselves. */
export const noMethods = {
  ...{ precision: undefined, attend: undefined, keep: undefined, store: undefined, inspect: undefined },
  ...{ remember: undefined, steer: [], probe: [] },
} as const;

/** The methods that options name. Papers are loaded when one of theirs is asked for, since most runs need none. */
export async function methodsOf({ attend, keep, store, remember, steer, probe }: MethodValues): Promise<Methods> {
  const isPlain =
    (attend ?? 'dense') === 'dense' &&
    (keep ?? 'all') === 'all' &&
    (store === undefined || isPageFormat(store)) &&
    remember === undefined &&
    steer.length + probe.length === 0;
  if (isPlain) return store !== undefined && isPageFormat(store) ? { store } : {};
  const { parseMethod } = await import('@loci/papers');
  const kept = keep === undefined ? undefined : parseMethod.keep(keep);
  return {
    ...(attend !== undefined && { attend: parseMethod.attend(attend) }),
    ...(kept && { keep: kept }),
    ...(store !== undefined && { store: parseMethod.store(store) }),
    ...(remember !== undefined && { remember: parseMethod.remember(remember) }),
    steer: steer.map(parseMethod.steer),
    probes: probe.map(parseMethod.probe),
  };
}

/** Writes what the methods of a session decided. */
export async function writeDecisions(session: Session, path: string): Promise<void> {
  const { attend, keep, store, remember, steer } = session.methods;
  const document = {
    attend: { method: attend.spec, ...session.reads, decided: session.attended },
    keep: { method: keep?.spec ?? 'all', kept: session.kept.map((heads) => heads.map((positions) => [...positions])) },
    store: { method: store.spec },
    ...(remember && { remember: { method: remember.spec, decided: session.remembered } }),
    steer: steer.map(({ spec }) => spec),
    probe: Object.fromEntries(session.found.map(({ probe, result }) => [probe.split(':')[0], result])),
  };
  await writeFile(path, `${JSON.stringify(document)}\n`);
}
