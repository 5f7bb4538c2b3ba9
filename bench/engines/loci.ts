/** Loci in a process of its own; the argument behind the engine's name is the folder of the checkout to measure. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { GenerateOptions, LoadModelOptions, Model, OpenOptions } from '../../packages/engine/index.ts';
import { serve } from '../protocol.ts';

const [, , , root = ''] = process.argv;
/** A package of the checkout as its command runs it: bundled, in revisions that are. */
const packageOf = (name: string) => {
  const bundled = join(root, 'build', `${name}.mjs`);
  return pathToFileURL(existsSync(bundled) ? bundled : join(root, 'packages', name, 'index.ts')).href;
};
let model: Model;
let options: OpenOptions;
let drawing: GenerateOptions;

serve({
  async load({ file, threads, store, keep, attend, build, sampling, oneByOne }) {
    const { loadModel }: typeof import('../../packages/engine/index.ts') = await import(packageOf('engine'));
    const settings: LoadModelOptions = {
      threads,
      ...(build && { build }),
      ...(oneByOne && { burst: { tokens: 1, ms: 0 } }),
    };
    model = await loadModel(file, settings);
    if (build && model.build !== build) throw new Error(`this checkout cannot be told to use its ${build} kernels`);
    drawing = sampling ?? { temperature: 0 };
    options = {
      store: await knownStore(store),
      ...(keep !== undefined && { keep: await keepMethod(keep) }),
      ...(attend !== undefined && { attend: (await methods()).parseMethod.attend(attend) }),
    };
  },
  async open() {
    const session = await model.open(options);
    return {
      async *generate(ids, tokens) {
        const endless = { ...drawing, maxTokens: tokens, ignoreEnd: true };
        for await (const { id } of session.generate({ ids }, endless)) if (id !== undefined) yield id;
      },
      close: async () => session.close(),
    };
  },
});

async function knownStore(name: string): Promise<NonNullable<OpenOptions['store']>> {
  const { pageFormats }: typeof import('../../packages/kernels/index.ts') = await import(packageOf('kernels'));
  const store = pageFormats.find((format) => format === name);
  if (!store) throw new Error(`this checkout has no store "${name}"; it has ${pageFormats.join(', ')}`);
  return store;
}

async function methods(): Promise<typeof import('../../packages/papers/index.ts')> {
  return await import(packageOf('papers'));
}

async function keepMethod(text: string): Promise<NonNullable<OpenOptions['keep']>> {
  const keep = (await methods()).parseMethod.keep(text);
  if (!keep) throw new Error(`"${text}" keeps everything`);
  return keep;
}
