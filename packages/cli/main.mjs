#!/usr/bin/env node
// Not TypeScript, so that the compile cache is on before any is read: without it Node loads its type stripper, which
// costs a tenth of a second and 30 MB.
import { enableCompileCache } from 'node:module';

enableCompileCache();
const { program } = await import('./program.ts');
await program(process.argv.slice(2));
