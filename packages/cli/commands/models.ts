import { listModels } from 'loci';
import { command } from '../command.ts';
import { bytes } from '../output/format.ts';

export const models = command({
  name: 'models',
  summary: 'List the models on this machine.',
  usage: [''],
  positionals: [],
  options: {},
  async run(_, { reporter }) {
    const found = await listModels();
    reporter.document({ models: found });
    const width = Math.max(0, ...found.map(({ name }) => name.length));
    for (const { name, bytes: size, source, path } of found) {
      reporter.text(`${name.padEnd(width)}  ${bytes(size).padStart(8)}  ${source.padEnd(7)}  ${path}\n`);
    }
    if (found.length === 0) reporter.note('There is no model here; --model owner/name fetches one from the hub.');
  },
});
