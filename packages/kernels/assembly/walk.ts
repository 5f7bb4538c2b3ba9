// Every thread walks the same recorded program. Commands share out their work through a counter of their own; between
// commands the threads meet at a barrier, unless the command says that the next one does not depend on it.
import { activate } from '../activate/assembly';
import { append } from '../append/assembly';
import { attend, merge } from '../attend/assembly';
import { boundLists, pageBounds } from '../bounds/assembly';
import { choose } from '../choose/assembly';
import { chunkLists, chunkSums } from '../chunks/assembly';
import { combine } from '../combine/assembly';
import { convolve } from '../convolve/assembly';
import { copy } from '../copy/assembly';
import { delta } from '../delta/assembly';
import { descend } from '../descend/assembly';
import { embed } from '../embed/assembly';
import { fetch } from '../fetch/assembly';
import { graphLink, graphNearest, graphRows, graphSearch } from '../graph/assembly';
import { boundaries, gapFeatures } from '../gaps/assembly';
import { gate } from '../gate/assembly';
import { loss } from '../loss/assembly';
import { matmul } from '../matmul/assembly';
import { matmulFloat } from '../matmul/float.assembly';
import { norm, quantize } from '../norm/assembly';
import { layerNorm } from '../norm/layer.assembly';
import { pack } from '../pack/assembly';
import { progressive } from '../progressive/assembly';
import { progressiveFloat } from '../progressive/float.assembly';
import { quantizeRows } from '../progressive/rows.assembly';
import { recur } from '../recur/assembly';
import { goesOn, repeat } from '../repeat/assembly';
import { rope } from '../rope/assembly';
import { scale } from '../scale/assembly';
import { similar } from '../similar/assembly';
import { slashLists } from '../slash/assembly';
import { weigh, weighStates } from '../weigh/assembly';
import { barrier } from './barrier';

/**
 * Runs the program at `program` as thread `thread` of `threads`.
 * A command is: opcode, words of arguments, 1 when a barrier follows, its counter, then the arguments; opcode 0 ends.
 * Returns 0 when the program ran to its end and 1 when it was stopped.
 */
export function walk(program: usize, control: usize, threads: i32, scratch: usize): i32 {
  const start = program;
  let opcode = load<i32>(program);
  while (opcode != 0) {
    const counter = program + 12;
    const args = program + 16;
    switch (opcode) {
      case 1:
        embed(args, counter, scratch);
        break;
      case 2:
        norm(args, counter, scratch);
        break;
      case 3:
        quantize(args, counter);
        break;
      case 4:
        matmul(args, counter, scratch, threads);
        break;
      case 5:
        matmulFloat(args, counter, scratch);
        break;
      case 6:
        rope(args, counter);
        break;
      case 7:
        append(args, counter);
        break;
      case 8:
        attend(args, counter, scratch, threads);
        break;
      case 9:
        merge(args, counter);
        break;
      case 10:
        activate(args, counter, scratch);
        break;
      case 11:
        loss(args, counter, scratch);
        break;
      case 12:
        copy(args, counter);
        break;
      case 13:
        weighStates(args, counter, scratch);
        break;
      case 14:
        weigh(args, counter, scratch);
        break;
      case 15:
        fetch(args, counter, scratch);
        break;
      case 16:
        scale(args, counter);
        break;
      case 17:
        choose(args, counter, scratch);
        break;
      case 18:
        pack(args, counter);
        break;
      case 19:
        progressive(args, counter, scratch);
        break;
      case 20:
        descend(args, counter, scratch);
        break;
      case 35:
        progressiveFloat(args, counter, scratch);
        break;
      case 36:
        quantizeRows(args, counter);
        break;
      case 27:
        similar(args, counter, scratch);
        break;
      case 23:
        graphRows(args, counter);
        break;
      case 24:
        graphNearest(args, counter, scratch);
        break;
      case 25:
        graphLink(args, counter, scratch);
        break;
      case 26:
        graphSearch(args, counter, scratch);
        break;
      case 31:
        chunkSums(args, counter, scratch);
        break;
      case 32:
        chunkLists(args, counter);
        break;
      case 33:
        gapFeatures(args, counter, scratch);
        break;
      case 34:
        boundaries(args, counter);
        break;
      case 40:
        recur(args, counter, scratch);
        break;
      case 41:
        convolve(args, counter);
        break;
      case 42:
        layerNorm(args, counter);
        break;
      case 43:
        combine(args, counter);
        break;
      case 46:
        pageBounds(args, counter, scratch);
        break;
      case 47:
        boundLists(args, counter);
        break;
      case 48:
        slashLists(args, counter);
        break;
      case 49:
        delta(args, counter, scratch);
        break;
      case 50:
        gate(args, counter);
        break;
      case 51:
        repeat(args, counter, start, threads);
        break;
      default:
        unreachable();
    }
    if (load<i32>(program, 8) != 0 && !barrier(control, threads)) return 1;
    program = opcode == 51 && goesOn(args) ? start : args + (<usize>load<i32>(program, 4) << 2);
    opcode = load<i32>(program);
  }
  return barrier(control, threads) ? 0 : 1;
}
