// The kernels that train models, over float32 arrays: a module of its own, so that running a model loads none of them.
import { barrier } from '../assembly/barrier';
import { adamW, squares } from './adam.assembly';
import { convolve, convolveFilterGradient } from './convolve.assembly';
import { map } from './map.assembly';
import { matmul } from './matmul.assembly';
import { norm, normGradient } from './norm.assembly';
import { cumulate, total } from './reduce.assembly';
import { crossEntropy, crossEntropyGradient, gather, scatter } from './rows.assembly';
import { softmax, softmaxGradient } from './softmax.assembly';

/** As the walk of the models' kernels (../assembly/walk.ts), with opcodes of its own (index.ts). */
export function walk(program: usize, control: usize, threads: i32, scratch: usize): i32 {
  let opcode = load<i32>(program);
  while (opcode != 0) {
    const counter = program + 12;
    const args = program + 16;
    switch (opcode) {
      case 1:
        matmul(args, counter, scratch);
        break;
      case 2:
        map(args, counter, scratch);
        break;
      case 3:
        total(args, counter);
        break;
      case 4:
        cumulate(args, counter);
        break;
      case 5:
        softmax(args, counter, scratch);
        break;
      case 6:
        softmaxGradient(args, counter);
        break;
      case 7:
        norm(args, counter);
        break;
      case 8:
        normGradient(args, counter);
        break;
      case 9:
        gather(args, counter);
        break;
      case 10:
        scatter(args, counter);
        break;
      case 11:
        crossEntropy(args, counter, scratch);
        break;
      case 12:
        crossEntropyGradient(args, counter, scratch);
        break;
      case 13:
        convolve(args, counter);
        break;
      case 14:
        convolveFilterGradient(args, counter);
        break;
      case 15:
        squares(args, counter);
        break;
      case 16:
        adamW(args, counter);
        break;
      default:
        unreachable();
    }
    if (load<i32>(program, 8) != 0 && !barrier(control, threads)) return 1;
    program = args + (<usize>load<i32>(program, 4) << 2);
    opcode = load<i32>(program);
  }
  return barrier(control, threads) ? 0 : 1;
}
