// Compiles the AssemblyScript kernels, and those that measure the machine's limits, twice: with relaxed SIMD and without.
// Does nothing when the sources are those of the last build.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const kernels = join(root, 'packages/kernels');
const out = join(kernels, 'build');
const features = { relaxed: 'simd,relaxed-simd,threads', plain: 'simd,threads' };
const entries = { '': 'assembly/walk.ts', 'limits-': 'limits/assembly.ts' };
const builds = Object.entries(entries).flatMap(([prefix, entry]) =>
  Object.entries(features).map(([build, enabled]) => ({ name: `${prefix}${build}`, entry, enabled })),
);

function sourceHash() {
  const hash = createHash('sha256');
  const files = readdirSync(kernels, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('assembly.ts') || /^assembly[/\\].*\.ts$/.test(file))
    .sort();
  for (const file of [fileURLToPath(import.meta.url), ...files.map((file) => join(kernels, file))]) {
    hash.update(file.slice(root.length)).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Compiles the modules whose names are given, to `target(name)`. */
export async function compileKernels(names, target, ...options) {
  const { default: asc } = await import('assemblyscript/asc');
  for (const { name, entry, enabled } of builds.filter(({ name }) => names.includes(name))) {
    const { error, stderr } = await asc.main([
      entry,
      ...['--baseDir', kernels, '--outFile', target(name), '--enable', enabled],
      ...['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--disableWarning', '112'],
      ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
      // Tables of numbers lie below the control block.
      ...['--memoryBase', '512', ...options],
    ]);
    if (error) throw new Error(`the kernels do not compile (${name}):\n${stderr.toString()}`, { cause: error });
  }
}

/** Returns true when something was compiled. */
export async function buildKernels(say = () => {}) {
  const stamp = join(out, 'sources.sha256');
  const hash = sourceHash();
  const current = existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
  if (current && builds.every(({ name }) => existsSync(join(out, `${name}.wasm`)))) return false;
  say('Compiling the kernels …');
  mkdirSync(out, { recursive: true });
  const names = builds.map(({ name }) => name);
  const fresh = (name) => join(out, `${name}.${process.pid}.wasm`);
  await compileKernels(names, fresh);
  // In one step each, since another process may be reading, or compiling, the same file.
  for (const name of names) renameSync(fresh(name), join(out, `${name}.wasm`));
  writeFileSync(stamp, hash);
  return true;
}
