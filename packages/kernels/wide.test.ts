import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

/**
 * Functions whose speed hangs on vectors being joined: pairs of stores that are, and of other operations where the bytes
 * leave through instructions that cannot be. An edit after which V8 joins fewer costs up to half the speed and nothing
 * else shows it; one after which it joins more only has to be written down.
 */
const joins: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>> = {
  relaxed: {
    'activate/assembly/geluRow': { Store: 2 },
    'activate/assembly/siluRow': { Store: 2 },
    'append/assembly/writeHalves': { F32x4Add: 2 },
    'attend/bytes.assembly/softenBytes': { Store: 8 },
    'attend/centred.assembly/packValues': { Store: 3 },
    'attend/float.assembly/accumulate': { Store: 8 },
    'attend/float.assembly/score': { Store: 8 },
    'attend/half.assembly/accumulate3': { Store: 6 },
    'attend/half.assembly/accumulate4': { Store: 8 },
    'attend/half.assembly/score3': { Store: 6 },
    'attend/half.assembly/score4': { Store: 8 },
    'attend/int4.assembly/scorePage': { Store: 5 },
    'attend/int4.assembly/unpackKeys': { Store: 2 },
    'attend/int8.assembly/accumulate3': { Store: 6 },
    'attend/int8.assembly/accumulate4': { Store: 8 },
    'attend/int8.assembly/score3': { Store: 6 },
    'attend/int8.assembly/score4': { Store: 8 },
    'attend/nibbles.assembly/accumulate3': { Store: 6 },
    'attend/nibbles.assembly/accumulate4': { Store: 8 },
    'attend/nibbles.assembly/score3': { Store: 18 },
    'attend/nibbles.assembly/score4': { Store: 24 },
    'attend/softmax.assembly/soften': { Store: 7 },
    'loss/assembly/sumOfPowers': { Store: 2 },
    'matmul/assembly/spanQ4by16m': { Store: 16 },
    'matmul/assembly/spanQ4by32': { Store: 20 },
    'matmul/assembly/spanQ4by32m': { Store: 20 },
    'matmul/assembly/spanQ8by16': { Store: 18 },
    'matmul/assembly/spanQ8by32': { Store: 24 },
    'matmul/assembly/spanQ8by32m': { Store: 24 },
    'norm/assembly/normRow': { Store: 4 },
    'norm/assembly/quantizeRow': { F32x4Mul: 4, I16x8SConvertI32x4: 2 },
  },
  pairs: {
    'attend/int8.assembly/accumulate3': { Store: 6 },
    'attend/int8.assembly/accumulate4': { Store: 8 },
    'attend/int8.assembly/score3': { Store: 6 },
    'attend/int8.assembly/score4': { Store: 8 },
    'attend/nibbles.assembly/accumulate3': { Store: 6 },
    'attend/nibbles.assembly/accumulate4': { Store: 8 },
    'attend/nibbles.assembly/score3': { Store: 18 },
    'attend/nibbles.assembly/score4': { Store: 24 },
  },
  bytes: {
    'matmul/assembly/spanQ4by32m': { Store: 20 },
    'matmul/assembly/spanQ8by16': { Store: 16 },
    'matmul/assembly/spanQ8by32': { Store: 20 },
    'matmul/assembly/spanQ8by32m': { Store: 20 },
  },
  'train-relaxed': {
    'train/matmul.assembly/tile': { Store: 8 },
  },
};

/** What V8 says it did with one function. */
interface Traced {
  /** Stores that could be half of a pair. */
  readonly seeds: Set<string>;
  /** Operations that became half of one, by kind. */
  readonly joined: Map<string, Set<string>>;
}

function parseTrace(trace: string): Map<string, Traced> {
  const functions = new Map<string, Traced>();
  let current: Traced | undefined;
  let decided = false;
  for (const line of trace.split('\n')) {
    const name = /^Begin revec function (.*)/.exec(line)?.[1];
    if (name !== undefined) {
      current = { seeds: new Set(), joined: new Map() };
      functions.set(name, current);
      decided = false;
    }
    const seed = /^(#\d+) Store/.exec(line)?.[1];
    if (seed !== undefined) current?.seeds.add(seed);
    if (line.includes('Decide to vectorize')) decided = true;
    const [, kind = '', ...pair] = /Print \d+: \[?(\w+)\]?\((#\d+), (#\d+)\)/.exec(line) ?? [];
    if (!decided || kind === '') continue;
    const of = current?.joined.get(kind) ?? new Set();
    for (const one of pair) of.add(one);
    current?.joined.set(kind, of);
  }
  return functions;
}

const folder = fileURLToPath(new URL('testing/', import.meta.url));

/** Only where the answer is known: V8 of Node 24, and processors of which Linux says that they have AVX2. */
function canJoin(): boolean {
  if (process.arch !== 'x64' || process.platform !== 'linux' || !process.version.startsWith('v24.')) return false;
  return /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28, env: { ...process.env, ...env } } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
  if (status !== 0) throw new Error(`node ended with ${status}: ${stderr}`);
  return stdout;
}

describe.skipIf(!canJoin())('with 256 bits (x64 with AVX2)', () => {
  const functions = new Map<string, ReadonlyMap<string, Traced>>();

  beforeAll(() => {
    const temporary = mkdtempSync(join(tmpdir(), 'loci-'));
    try {
      const file = join(temporary, 'named.wasm');
      const compile = `new WebAssembly.Module(require('node:fs').readFileSync(${JSON.stringify(file)}))`;
      const compiler = ['--single-threaded', '--no-liftoff', '--no-wasm-lazy-compilation'];
      const widening = ['--experimental-wasm-revectorize', '--trace-wasm-revectorize'];
      for (const build of Object.keys(joins)) {
        node([join(folder, 'named.mjs'), file, build]);
        functions.set(build, parseTrace(node([...compiler, ...widening, '-e', compile])));
      }
    } finally {
      rmSync(temporary, { recursive: true });
    }
  }, 180_000);

  const all = Object.entries(joins).flatMap(([build, of]) => Object.entries(of).map((one) => [build, ...one] as const));
  test.each(all)('in the %s build the vectors of %s are joined', (build, name, expected) => {
    const traced = functions.get(build)?.get(name);
    if (!traced) {
      const names = [...(functions.get(build)?.keys() ?? [])];
      throw new Error(`no such function: was it renamed, or inlined? There are ${names}`);
    }
    for (const [kind, count] of Object.entries(expected)) {
      expect({ kind, pairs: (traced.joined.get(kind)?.size ?? 0) / 2 }).toEqual({ kind, pairs: count });
    }
    const stores = traced.joined.get('Store') ?? new Set();
    expect([...traced.seeds].filter((seed) => !stores.has(seed))).toEqual([]);
  });
});

test('every kernel computes the same bits whether vectors are joined or not', () => {
  const [wide, narrow] = ['1', '0'].map((value) => node([join(folder, 'mixture-hash.ts')], { LOCI_WIDE_SIMD: value }));
  expect(wide).toMatch(/^relaxed (\w{64})\nplain \w{64}\npairs \1\n(bytes \1\n)?$/);
  expect(narrow).toBe(wide);
});
