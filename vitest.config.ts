import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,examples,scripts}/**/*.test.ts', 'bench/{,report/,suites/}*.test.ts'],
    globalSetup: 'packages/kernels/testing/setup.mjs',
    testTimeout: 120_000,
    // Engine tests start worker threads of their own: two test files at a time keep a small machine honest.
    maxWorkers: 2,
  },
});
