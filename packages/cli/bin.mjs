#!/usr/bin/env node
// The `loci` of node_modules/.bin: runs under any Node and hands over to the one that Loci needs.
process.argv.splice(2, 0, 'loci');
await import('../../scripts/run.mjs');
