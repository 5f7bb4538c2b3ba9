// What the command and the bench run: the packages as a few files. Looking up, reading and linking hundreds of modules takes
// a fifth of a short run. Sources stay what tests run, and what runs where there is no bundler for the system.
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = join(root, 'packages');
export const bundles = join(root, 'build');
const entries = {
  cli: join(packages, 'cli/main.mjs'),
  engine: join(packages, 'engine/index.ts'),
  kernels: join(packages, 'kernels/index.ts'),
  papers: join(packages, 'papers/index.ts'),
};
const day = 24 * 60 * 60 * 1000;

/** When anything under a folder last changed. A file that is gone has changed its folder. */
function changed(folder) {
  let last = statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) last = Math.max(last, changed(path));
    else if (/\.(m?ts|mjs|json)$/.test(entry.name)) last = Math.max(last, statSync(path).mtimeMs);
  }
  return last;
}

/** Modules find what lies beside them where it is: in their package. */
function placed(out) {
  return {
    name: 'placed',
    transform(code, id) {
      if (!code.includes('import.meta.url')) return undefined;
      const place = JSON.stringify(relative(out, id).replaceAll('\\', '/'));
      return code.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`);
    },
  };
}

/** Bundles the packages to `out` when they have changed since. Returns true when they had. */
export async function bundle(out = bundles) {
  const stamp = join(out, 'bundled');
  const since = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (Math.max(changed(packages), statSync(fileURLToPath(import.meta.url)).mtimeMs) < since) return false;
  const started = new Date();
  const { rolldown } = await import('rolldown');
  const build = await rolldown({ input: entries, platform: 'node', logLevel: 'silent', plugins: [placed(out)] });
  const names = { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' };
  const { output } = await build.generate({ dir: out, ...names });
  await build.close();
  mkdirSync(out, { recursive: true });
  // Another process may run what is there, and read more of it later: files are replaced whole, the entries last.
  const isEntry = ({ isEntry }) => Number(isEntry);
  for (const { fileName, code } of output.sort((a, b) => isEntry(a) - isEntry(b))) {
    const path = join(out, fileName);
    writeFileSync(`${path}.${process.pid}`, code);
    renameSync(`${path}.${process.pid}`, path);
  }
  const current = new Set(output.map(({ fileName }) => fileName));
  for (const name of readdirSync(out)) {
    const path = join(out, name);
    if (!current.has(name) && statSync(path).mtimeMs < Date.now() - day) rmSync(path);
  }
  // What changes meanwhile is not in it.
  writeFileSync(stamp, '');
  utimesSync(stamp, started, started);
  return true;
}
