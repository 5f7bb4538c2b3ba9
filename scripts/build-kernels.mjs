// Compiles the AssemblyScript kernels in four builds (packages/device/features.ts says what tells them apart), and those
// that train models and that measure the machine's limits in two. Does nothing when the sources are those of the last build.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const kernels = join(root, 'packages/kernels');
const out = join(kernels, 'build');
const relaxed = ['--enable', 'simd,relaxed-simd,threads'];
const plain = ['--enable', 'simd,threads'];
/** How many products of bytes one instruction adds, and how many bits the unsigned ones have. */
const products = (added, bits) => ['--use', `FOURS=${Number(added === 4)}`, '--use', `BYTES=${Number(bits === 8)}`];
const builds = [
  { name: 'bytes', entry: 'assembly/walk.ts', options: [...relaxed, ...products(4, 8)] },
  { name: 'relaxed', entry: 'assembly/walk.ts', options: [...relaxed, ...products(4, 7)] },
  { name: 'pairs', entry: 'assembly/walk.ts', options: [...relaxed, ...products(2, 7)] },
  { name: 'plain', entry: 'assembly/walk.ts', options: [...plain, ...products(2, 7)] },
  { name: 'train-relaxed', entry: 'train/assembly.ts', options: relaxed },
  { name: 'train-plain', entry: 'train/assembly.ts', options: plain },
  { name: 'limits-relaxed', entry: 'limits/assembly.ts', options: relaxed },
  { name: 'limits-plain', entry: 'limits/assembly.ts', options: plain },
];

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
  for (const { name, entry, options: own } of builds.filter(({ name }) => names.includes(name))) {
    const { error, stderr } = await asc.main([
      entry,
      ...['--baseDir', kernels, '--outFile', target(name), ...own],
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
