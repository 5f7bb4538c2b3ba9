import { parentPort, workerData } from 'node:worker_threads';
import { serve } from '@loci/device';

serve(workerData, (message) => parentPort?.postMessage(message));
