/**
 * The peer, node-llama-cpp: what is used of it, its installation, and how it is opened. Its types are stated here since it
 * is not installed for those who only check or use Loci.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Sampling } from './protocol.ts';

export interface Peer {
  loadModel(options: { readonly modelPath: string; readonly useMmap?: boolean }): Promise<PeerModel>;
}

export interface PeerModel {
  createContext(options: {
    readonly contextSize: number;
    readonly batchSize?: number;
    readonly threads: number;
    readonly flashAttention: boolean;
    readonly experimentalKvCacheKeyType: PeerStore;
    readonly experimentalKvCacheValueType: PeerStore;
  }): Promise<PeerContext>;
  dispose(): Promise<void>;
}

const peerStores = ['F32', 'F16', 'Q8_0', 'Q4_0'] as const;

/** Formats of the peer's cache that are measured. */
export type PeerStore = (typeof peerStores)[number];

export function isPeerStore(name: string): name is PeerStore {
  return peerStores.some((store) => store === name);
}

export interface PeerContext {
  getSequence(): PeerSequence;
  dispose(): Promise<void>;
}

/** A token, or a token behind which the logits of the next one are wanted. */
export type PeerInput =
  | number
  | readonly [token: number, options: { readonly generateNext: { readonly logits: true } }];

export interface PeerSequence {
  controlledEvaluate(
    input: readonly PeerInput[],
  ): Promise<readonly (undefined | { readonly next: { readonly logits?: ReadonlyMap<number, number> } })[]>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  /** Greedy by default; the generator is ended by its caller. */
  evaluate(
    tokens: readonly number[],
    options: { readonly yieldEogToken: true } & Partial<Sampling>,
  ): AsyncGenerator<number, void, void>;
}

interface PeerModule {
  getLlama(options: {
    readonly gpu: false;
    readonly build: 'never';
    readonly usePrebuiltBinaries: true;
    readonly maxThreads: number;
    readonly logLevel: 'error';
    readonly progressLogs: false;
    readonly skipDownload: true;
  }): Promise<Peer>;
}

const peerName = 'node-llama-cpp';
const here = fileURLToPath(new URL('.', import.meta.url));

/** The release that package.json asks for. */
export function peerVersion(): string {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
  return dependencies[peerName];
}

/** The prebuilt binary that computes on the processor alone; on Apple's machines there is none without Metal. */
function binaryPackage(): string {
  const { platform, arch } = process;
  if (platform === 'darwin') return `@node-llama-cpp/mac-${arch === 'arm64' ? 'arm64-metal' : 'x64'}`;
  return `@node-llama-cpp/${platform === 'win32' ? 'win' : platform}-${arch}`;
}

/**
 * Installs what package.json asks for beside this file when it is missing: of the peer its prebuilt processor binary, none
 * of its GPU parts, and none of its install scripts, which would compile it; and the library that draws.
 */
export function installPeer(): void {
  const binary = binaryPackage();
  if ([peerName, binary, 'vega', 'vega-lite'].every((name) => existsSync(`${here}node_modules/${name}`))) return;
  process.stderr.write(`bench: installing ${peerName} ${peerVersion()} and vega (once; about 120 MB) …\n`);
  // package.json names the binary for Linux; elsewhere npm must be told to accept that and to add the right one.
  const isNamed = binary === '@node-llama-cpp/linux-x64';
  const quiet = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // Not "npm ci": it wants every platform's optional packages in the lock file, and not every registry has them all.
  npm(['install', '--no-save', ...quiet, ...(isNamed ? [] : ['--force'])]);
  if (!isNamed) npm(['install', '--no-save', '--force', ...quiet, `${binary}@${peerVersion()}`]);
}

function npm(args: readonly string[]): void {
  const shell = process.platform === 'win32';
  const { status } = spawnSync(shell ? 'npm.cmd' : 'npm', args, { cwd: here, stdio: ['ignore', 2, 2], shell });
  if (status !== 0) throw new Error(`"npm ${args.join(' ')}" ended with ${status}; check the network and run it again`);
}

/** The peer on the processor. */
export async function openPeer(threads: number): Promise<Peer> {
  const name: string = peerName;
  const { getLlama }: PeerModule = await import(name);
  return getLlama({
    gpu: false,
    build: 'never',
    usePrebuiltBinaries: true,
    maxThreads: threads,
    logLevel: 'error',
    progressLogs: false,
    skipDownload: true,
  });
}
