import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readmeFile, renewed } from './readme.ts';

test('README.md shows the results that are committed (else: npm run readme)', () => {
  const readme = readFileSync(readmeFile, 'utf8');
  expect(readme).toBe(renewed(readme));
});
