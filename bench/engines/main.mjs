// Not TypeScript, so that the compile cache is on before any is read: without it Node loads its type stripper in the
// process that is measured, which costs a tenth of a second and 30 MB. Arguments: the engine, and what it takes itself.
import { enableCompileCache } from 'node:module';

enableCompileCache();
await import(`./${process.argv[2]}.ts`);
