import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { guideFile, renewedGuide } from './guide.ts';

test('the guide shows the comparisons that are committed (else: npm run readme)', () => {
  const guide = readFileSync(guideFile, 'utf8');
  expect(guide).toBe(renewedGuide(guide));
});
