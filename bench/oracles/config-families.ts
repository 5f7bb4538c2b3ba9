/**
 * Writes the tiny models of packages/engine/families/testing in the layout of Hugging Face, for config-families.py to judge.
 *
 *     node bench/oracles/config-families.ts FOLDER
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judgedPositions, promptOf } from '../../packages/engine/families/testing/tiny-cases.ts';
import { configCases, tinyDirectory } from '../../packages/engine/families/testing/tiny-directory.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder to write to');
for (const [i, one] of configCases.entries()) {
  const place = join(folder, String(i));
  mkdirSync(place, { recursive: true });
  for (const [name, content] of await tinyDirectory(one)) writeFileSync(join(place, name), content);
  const judged = { name: one.model.name, ids: promptOf(one), positions: judgedPositions(one) };
  writeFileSync(join(place, 'judged.json'), JSON.stringify(judged));
}
