import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCli, startCli } from './testing/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'loci-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const config = {
  task: { name: 'mqar', vocabulary: 64, length: 16, pairs: 2, examples: 500, held: 64 },
  model: { width: 16, layers: ['base-conv', 'attention'] },
  training: { steps: 40, batch: 16, rate: 0.004 },
  saveEvery: 5,
};

function file(name: string, content: string | object): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

async function document(...args: string[]) {
  const { code, stdout, stderr } = await runCli([...args, '--json', '--threads', '1']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

test('train writes a document, and goes on where it was stopped', async () => {
  const path = file('tiny.json', config);
  const whole = await document('train', path, '--out', join(folder, 'whole'));
  expect(whole).toMatchObject({ steps: 40, parameters: 2464, config: { training: { schedule: 'cosine' } } });
  expect(readFileSync(join(folder, 'whole/log.csv'), 'utf8').trim().split('\n')).toHaveLength(41);
  const stopped = join(folder, 'stopped');
  const { child, ended } = startCli(['train', path, '--out', stopped, '--threads', '1']);
  const log = () => {
    try {
      return readFileSync(join(stopped, 'log.csv'), 'utf8').split('\n').length;
    } catch {
      return 0;
    }
  };
  while (log() < 6 && child.exitCode === null) await new Promise((wake) => setTimeout(wake, 2));
  child.kill('SIGKILL');
  await ended;
  const resumed = await document('train', path, '--out', stopped);
  expect(resumed.test).toEqual(whole.test);
});

test('run opens what train has written; a model of numbers says so of a text', async () => {
  const path = file('model.json', { ...config, training: { ...config.training, steps: 5 } });
  await document('train', path, '--out', join(folder, 'model'));
  const model = join(folder, 'model/model.safetensors');
  const answer = await document('run', '--model', model, '--prompt', '3 40 5', '--max-tokens', '4');
  expect(answer.ids).toHaveLength(4);
  expect(answer.text).toMatch(/^(\d+ ){4}$/);
  const { code, stderr } = await runCli(['run', '--model', model, '--prompt', 'Call me']);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/knows no text: write ids from 0 to 63/);
});

test('sweep trains all of a grid, once, and draws a plot', async () => {
  const path = file('grid.json', {
    base: { ...config, training: { ...config.training, steps: 5 } },
    grid: { 'model.layers.1': ['attention', 'taylor:features=2'] },
  });
  const out = join(folder, 'sweep');
  const first = await document('sweep', path, '--out', out);
  expect(first.runs.map(({ state }: { state: string }) => state)).toEqual(['done', 'done']);
  expect(readFileSync(join(out, 'plot.svg'), 'utf8')).toContain('taylor');
  expect(await document('sweep', path, '--out', out)).toEqual(first);
  const { stdout } = await runCli(['sweep', path, '--out', out]);
  expect(stdout).toContain('state bytes');
});

test('what is wrong with a configuration is said in one line', async () => {
  const said = async (...args: string[]) => (await runCli(args)).stderr;
  expect(await said('train', join(folder, 'none.json'))).toMatch(/^loci: .*none.json: there is no such file/);
  expect(await said('train', file('bad.json', '{'))).toContain('is not JSON');
  const layers = (text: string) => file('mixer.json', { ...config, model: { width: 16, layers: [text] } });
  const out = ['--out', join(folder, 'wrong')];
  expect(await said('train', layers('hyena'), ...out)).toContain(
    'there is no mixer "hyena"; there are attention, base-conv',
  );
  expect(await said('train', layers('attention:heads=3'), ...out)).toContain('3 heads do not divide 16');
  expect(await said('train', layers('attention:head=3'), ...out)).toContain('has no option "head"');
});
