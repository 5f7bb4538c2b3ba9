import { readFileSync } from 'node:fs';
import { LociError } from 'loci';
import { z } from 'zod';
import { mapParameters, type Parameters, type PredictorShape, parameterNames, parameterShapes } from './network.ts';

/** A predictor as it is kept: what it belongs to, how it was made, and its numbers. */
export interface PredictorFile {
  readonly shape: PredictorShape;
  readonly model: { readonly name: string; readonly fingerprint: string };
  /** How it was trained, in the words of the command that did. */
  readonly made: string;
  readonly parameters: Parameters;
}

const headerForm = z.record(
  z.string(),
  z.union([
    z.record(z.string(), z.string()),
    z.object({ dtype: z.literal('F16'), shape: z.array(z.number()), data_offsets: z.tuple([z.number(), z.number()]) }),
  ]),
);
const whole = z.coerce.number().int().min(1);
const settingsForm = z.object({
  c: whole,
  heads: whole,
  w: whole,
  hidden: whole,
  model: z.string(),
  fingerprint: z.string(),
  made: z.string(),
});

/** The bytes of a safetensors file in halves; settings are its metadata. */
export function writePredictor({ shape, model, made, parameters }: PredictorFile): Uint8Array {
  const shapes = parameterShapes(shape);
  const settings = { ...shape, model: model.name, fingerprint: model.fingerprint, made };
  const header: Record<string, unknown> = {
    __metadata__: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
  };
  let at = 0;
  for (const name of parameterNames) {
    const bytes = 2 * parameters[name].length;
    header[name] = { dtype: 'F16', shape: shapes[name], data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + at);
  const view = new DataView(file.buffer);
  view.setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  let to = 8 + json.length;
  for (const name of parameterNames) {
    for (const value of parameters[name]) {
      view.setFloat16(to, value, true);
      to += 2;
    }
  }
  return file;
}

/** @throws LociError `bad-file` when the bytes are not those of a predictor. */
export function readPredictor(bytes: Uint8Array): PredictorFile {
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = Number(view.getBigUint64(0, true));
    const header = headerForm.parse(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))));
    const { model, fingerprint, made, ...shape } = settingsForm.parse(header['__metadata__']);
    const shapes = parameterShapes(shape);
    const parameters = mapParameters((name) => {
      const entry = header[name];
      if (!entry || !Array.isArray(entry.shape) || typeof entry.data_offsets === 'string')
        throw new Error(`no "${name}"`);
      if (String(entry.shape) !== String(shapes[name])) {
        throw new Error(`"${name}" is [${entry.shape}], not [${shapes[name]}]`);
      }
      const count = shapes[name].reduce((product, size) => product * size, 1);
      const from = 8 + length + (entry.data_offsets?.[0] ?? 0);
      return Float64Array.from({ length: count }, (_, i) => view.getFloat16(from + 2 * i, true));
    });
    return { shape, model: { name: model, fingerprint }, made, parameters };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LociError('bad-file', `the file holds no predictor of boundaries: ${reason}`);
  }
}

const bundled = new URL('../assets/smollm2-135m-instruct.safetensors', import.meta.url);

/** The predictor that an option names. @throws LociError `bad-option` when there is no such file, `bad-file` when it holds none. */
export function namedPredictor(name: string): PredictorFile {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(name === 'bundled' ? bundled : name);
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new LociError(
      'bad-option',
      `predictor is ${JSON.stringify(name)}; it must be bundled or a file that can be read (${reason})`,
    );
  }
  return readPredictor(bytes);
}
