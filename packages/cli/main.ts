#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

// Before any other module is loaded: the cached code of them is what makes the start quick.
enableCompileCache();
const { program } = await import('./program.ts');
await program(process.argv.slice(2));
