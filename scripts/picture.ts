// Runs `npm start` in a terminal of its own and draws what it shows as docs/start.svg: `npm run picture` (Linux).
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const columns = 100;

/** What stands on the screen at the end: a line that was written over shows its last state. */
export function screen(output: string): string[] {
  const lines: string[] = [''];
  for (const line of output.replaceAll('\r\n', '\n').split('\n')) {
    const states = stripVTControlCharacters(line)
      .split('\r')
      .filter((state) => state.trim() !== '');
    lines.push(...wrapped((states.at(-1) ?? '').trimEnd()));
  }
  const text = lines.join('\n').trim();
  return text.replaceAll(/\n{3,}/g, '\n\n').split('\n');
}

function wrapped(line: string): string[] {
  if (line.length <= columns) return [line];
  const space = line.lastIndexOf(' ', columns);
  const at = space > 0 ? space : columns;
  return [line.slice(0, at), ...wrapped(line.slice(at).trimStart())];
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function svg(lines: readonly string[]): string {
  const [lineHeight, letter, edge] = [19, 8.05, 16];
  const height = lines.length * lineHeight + 2 * edge;
  const width = Math.ceil(columns * letter) + 2 * edge;
  const rows = lines.map(
    (line, i) => `<text x="${edge}" y="${edge + 14 + i * lineHeight}" xml:space="preserve">${escaped(line)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<rect width="100%" height="100%" rx="8" fill="#16181d"/>
<g fill="#d8dee9" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">
${rows.join('\n')}
</g>
</svg>
`;
}

const command = `stty cols ${columns}; npm start --silent`;
const output = execFileSync('script', ['-qec', command, '/dev/null'], { cwd: root, encoding: 'utf8' });
writeFileSync(new URL('../docs/start.svg', import.meta.url), svg(['$ npm start', '', ...screen(output)]));
