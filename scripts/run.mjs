// The one entry of every npm script. Runs on any Node from 20 on: installs what is missing, compiles the kernels when
// they have changed, and goes on under the Node 24 that comes as a package.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (text) => process.stderr.write(`loci: ${text}\n`);

/** Packages are installed anew when the lock file is not the one they were installed from. */
function install() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules/.loci-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing packages from the npm registry (once; about 400 MB) …');
  // Not "npm ci": it wants every platform's optional packages in the lock file, and not every registry has them all.
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status !== 0) fail(`"npm install" ended with ${status}; check the network connection and run the command again`);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, lock);
}

/** This process's Node where it is new enough, else the one that came as a package. */
function node() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  const require = createRequire(join(root, 'package.json'));
  const { platform, arch } = process;
  const system = platform === 'win32' ? 'win' : platform;
  for (const name of [`node-${system}-${arch}`, `node-bin-${system}-${arch}`]) {
    try {
      const folder = dirname(require.resolve(`${name}/package.json`));
      return join(folder, 'bin', platform === 'win32' ? 'node.exe' : 'node');
    } catch {
      // The other name, or none: there is no such package for every system.
    }
  }
  return fail(`there is no packaged Node 24 for ${platform} ${arch}; install Node 24 and run the command again`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

function run(command, args, cwd = root) {
  const { status, signal } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  return signal ? 130 : (status ?? 1);
}

const tool = (name, script) => join(root, 'node_modules', name, script);
// What a run allocates in JavaScript is small or dies at once: V8 need not set aside 30 MB for it.
const lean = '--max-semi-space-size=2';
// npm runs scripts in the project's folder; files that a user names lie where the command was typed.
const loci = async (...args) => run(node(), [lean, await bundled(), ...args], process.env.INIT_CWD);
/** The command in few files, or as it lies in its package where it cannot be bundled. */
async function bundled() {
  const { bundle, bundles } = await import('./bundle.mjs');
  try {
    await bundle();
    return join(bundles, 'cli.mjs');
  } catch (error) {
    // What is left of an older one would be measured.
    rmSync(bundles, { recursive: true, force: true });
    say(`running from the sources, which starts a little slower: ${error.message}`);
    return join(root, 'packages/cli/main.mjs');
  }
}

const script = (file, ...args) => run(node(), [join(root, file), ...args]);
const vitest = (...args) => run(node(), [tool('vitest', 'vitest.mjs'), 'run', ...args]);
const biome = (...args) => run(node(), [tool('@biomejs/biome', 'bin/biome'), ...args]);

const tasks = {
  start: (args) => loci('demo', ...args),
  test: (args) => vitest(...args),
  check: () => run(node(), [tool('typescript', 'bin/tsc'), '-p', '.']) || biome('check', '--error-on-warnings'),
  format: () => biome('check', '--write'),
  loci: (args) => loci(...args),
  bench: async (args) => {
    await bundled();
    return script('bench/main.ts', ...args);
  },
  measure: (args) => script('scripts/measure.ts', ...args),
  picture: () => script('scripts/picture.ts'),
  readme: () => script('scripts/readme.ts') || script('scripts/guide.ts'),
};

const [name, ...args] = process.argv.slice(2);
const task = tasks[name];
if (!task) fail(`no task "${name}" (there are: ${Object.keys(tasks).join(', ')})`);
// A Ctrl-C belongs to the child, which answers it; this process only waits for it.
process.on('SIGINT', () => {});
install();
if (name !== 'check' && name !== 'format') {
  // The compiler runs under any Node, so no second process is needed for it.
  const { buildKernels } = await import('./build-kernels.mjs');
  await buildKernels(say);
}
process.exit(await task(args));
