/** Where bundles lie. */
export const bundles: string;
/** Bundles the packages to a folder, `bundles` by default, when they have changed since. True when they had. */
export function bundle(out?: string): Promise<boolean>;
