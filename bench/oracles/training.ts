/**
 * Writes the small model of packages/lab/testing/small.ts and a batch as JSON, for training.py:
 *
 *     node bench/oracles/training.ts > small.json
 */
import { initialNumbers } from '@loci/lab';
import { smallAdam, smallBatch, smallModel } from '../../packages/lab/testing/small.ts';

const { ids, rows, labels } = smallBatch();
const parameters = Object.entries(smallModel().specs).map(
  ([name, spec]) => [name, { ...spec, numbers: [...initialNumbers(spec, name, 0)] }] as const,
);
const document = {
  ids: [...ids],
  rows: [...rows],
  labels: [...labels],
  adam: smallAdam,
  parameters: Object.fromEntries(parameters),
};
process.stdout.write(JSON.stringify(document));
