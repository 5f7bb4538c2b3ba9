// Compiles the kernels with the names of their functions in them: node named.mjs FILE
import { compileKernels } from '../../../scripts/build-kernels.mjs';

const [file] = process.argv.slice(2);
await compileKernels(['relaxed'], () => file, '--debug');
