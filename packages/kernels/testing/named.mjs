// Compiles the kernels with the names of their functions in them: node named.mjs FILE BUILD
import { compileKernels } from '../../../scripts/build-kernels.mjs';

const [file, build] = process.argv.slice(2);
await compileKernels([build], () => file, '--debug');
