import { createHash } from 'node:crypto';
import { openFile } from '@loci/engine/node-file';
import { LociError, readSafetensors, type StoredTensor, writeSafetensors } from 'loci';
import { writeWhole } from '../model/whole-file.ts';
import type { LearnerState } from './learner.ts';

/** Training at a step, as it is written to a file. */
export interface Checkpoint {
  /** Steps that are done. */
  readonly step: number;
  /** Of the configuration it belongs to. */
  readonly config: string;
  readonly state: LearnerState;
  /** Whatever else goes on from here: the best accuracy so far, for one. */
  readonly notes: Readonly<Record<string, number>>;
}

const parts = ['parameters', 'first', 'second'] as const;

function bytesOf(numbers: Float32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function seal({ step, config, state, notes }: Checkpoint): string {
  const hash = createHash('sha256').update(JSON.stringify([step, config, notes]));
  for (const part of parts) {
    // In the order of their names, whatever the order they come in.
    for (const [name, numbers] of [...state[part]].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(`${part}.${name}`).update(bytesOf(numbers));
    }
  }
  return hash.digest('hex');
}

/**
 * Writes a checkpoint as safetensors, parameters under their own names and moments behind `first.` and `second.`. The file
 * is replaced in one step: whatever happens, there is the old one or the new one.
 */
export async function saveCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  shapes: (name: string) => readonly number[],
): Promise<void> {
  const { step, config, state, notes } = checkpoint;
  const tensors = parts.flatMap((part) =>
    Array.from(state[part], ([name, numbers]) => ({
      ...{ name: part === 'parameters' ? name : `${part}.${name}`, type: 'F32' as const },
      ...{ shape: shapes(name), data: bytesOf(numbers) },
    })),
  );
  const metadata = { step: String(step), config, notes: JSON.stringify(notes), seal: seal(checkpoint) };
  await writeWhole(path, writeSafetensors({ metadata, tensors }));
}

/**
 * Reads a checkpoint of a model with these parameters.
 * @returns undefined when there is no such file.
 * @throws LociError `bad-file` when it is damaged or of another model.
 */
export async function readCheckpoint(
  path: string,
  lengths: ReadonlyMap<string, number>,
): Promise<Checkpoint | undefined> {
  const source = await openFile(path).catch((error: unknown) => {
    if (error instanceof LociError && error.code === 'not-found') return undefined;
    throw error;
  });
  if (!source) return undefined;
  try {
    const { metadata, tensors } = await readSafetensors(source);
    const read = async (part: (typeof parts)[number]) => {
      const numbers = new Map<string, Float32Array>();
      for (const [name, length] of lengths) {
        const tensor = tensors.get(part === 'parameters' ? name : `${part}.${name}`);
        numbers.set(name, await floatsOf(tensor, length, path, name));
      }
      return numbers;
    };
    const state = { parameters: await read('parameters'), first: await read('first'), second: await read('second') };
    const checkpoint = {
      ...{ step: Number(metadata.get('step')), config: metadata.get('config') ?? '', state },
      notes: readNotes(metadata.get('notes')),
    };
    if (seal(checkpoint) !== metadata.get('seal')) throw damaged(path, 'its numbers are not those that were written');
    return checkpoint;
  } finally {
    await source.close();
  }
}

async function floatsOf(
  tensor: StoredTensor | undefined,
  length: number,
  path: string,
  name: string,
): Promise<Float32Array> {
  if (tensor?.type !== 'F32' || tensor.byteLength !== 4 * length)
    throw damaged(path, `"${name}" is not what this model has`);
  const bytes = await tensor.source.read(tensor.offset, tensor.byteLength);
  return new Float32Array(bytes.slice().buffer);
}

function readNotes(text: string | undefined): Readonly<Record<string, number>> {
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
    );
  } catch {
    // The seal will not fit.
    return {};
  }
}

function damaged(path: string, why: string): LociError {
  return new LociError('bad-file', `${path}: cannot go on from this checkpoint: ${why}; remove it to begin anew`);
}
