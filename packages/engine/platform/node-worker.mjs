// Not TypeScript, so that the compile cache is on before any is read: without it every thread loads Node's type
// stripper, which costs a tenth of a second and 12 MB.
import { enableCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

enableCompileCache();
const { serve } = await import('@loci/device/worker');
serve(workerData, (message) => parentPort?.postMessage(message));
