/** Compute kernels: each folder holds one kernel's definition (reference), its WebAssembly and the command that calls it. */
export { type Activation, activate } from './activate/index.ts';
export {
  append,
  type Head,
  headBytes,
  headWordOfUsed,
  headWords,
  type PageFormat,
  pageBytes,
  pageFormats,
  pageSlots,
  slotsAreApart,
} from './append/index.ts';
export {
  type Attend,
  allSlots,
  attend,
  attendScratch,
  type BlockLists,
  listWords,
  mergeParts,
  partialFloats,
  partsOf,
  splitsOf,
} from './attend/index.ts';
export { type BoundLists, boundBytes, boundLists, boundRoom, type PageBounds, pageBounds } from './bounds/index.ts';
export {
  type Adjustment,
  adjustmentWordCount,
  adjustmentWords,
  type Choice,
  choiceWordCount,
  choiceWords,
  choose,
  chooseScratch,
  mostLikely,
} from './choose/index.ts';
export { type ChunkLists, type ChunkSums, type Chunks, chunkLists, chunkRoom, chunkSums } from './chunks/index.ts';
export { add, type Combine, multiply } from './combine/index.ts';
export { type Bytes8, type Command, opcodes, type StridedRows } from './command.ts';
export { type Convolve, convolve } from './convolve/index.ts';
export { copy } from './copy/index.ts';
export { type Delta, type DeltaShape, delta, deltaBytes, deltaScratch } from './delta/index.ts';
export {
  type Descend,
  descend,
  descendScratch,
  listCapacity,
  type Representative,
  representatives,
} from './descend/index.ts';
export { blockSearch, tokenSearch } from './descend/reference.ts';
export { embed } from './embed/index.ts';
export { type Fetch, fetch } from './fetch/index.ts';
export { type Boundaries, boundaries, type GapFeatures, gapFeatures, gapWidth } from './gaps/index.ts';
export { type Gate, gate } from './gate/index.ts';
export {
  type Graph,
  type GraphLink,
  type GraphNearest,
  type GraphRows,
  type GraphSearch,
  graphLink,
  graphLinkWork,
  graphNearest,
  graphRows,
  graphSearch,
  graphSearchWork,
  linkBytes,
  rowLength,
} from './graph/index.ts';
export { floatToHalf } from './half.ts';
export { floatMadds, integerDots, type LimitCommand, limitScratch, readMemory } from './limits/index.ts';
export { loss, negativeLogLikelihood } from './loss/index.ts';
export { matmul, matmulFloat, matmulScratch } from './matmul/index.ts';
export {
  type AffineRows,
  blockBytes,
  blockRows,
  type Layout,
  type Matrix,
  matrixBytes,
  type PackedLayout,
  packAffine,
  packFloats,
} from './matmul/layout.ts';
export { type LayerNorm, layerNorm, norm, quantize } from './norm/index.ts';
export { type Pack, type Packable, pack, packables } from './pack/index.ts';
export {
  type ByteRows,
  mostProgressiveGroup,
  type ProgressiveMatrix,
  type ProgressiveRows,
  packProgressive,
  progressive,
  progressiveBytes,
  progressiveFloat,
  progressiveScratch,
  progressiveSums,
  quantizeRows,
} from './progressive/index.ts';
export {
  type FeatureMap,
  featureCount,
  type Recur,
  type RecurShape,
  recur,
  recurBytes,
  recurScratch,
} from './recur/index.ts';
export { type Repeat, repeat, stepWordCount, stepWordOfDone, stepWords } from './repeat/index.ts';
export { type RopePairs, rope, ropeTables } from './rope/index.ts';
export { type Scale, scale } from './scale/index.ts';
export { packVector, type Similar, similar, similarScratch, vectorBytes } from './similar/index.ts';
export { type Crossing, type SlashLists, slashLists, slashRoom } from './slash/index.ts';
export { type Weigh, weigh, weighStride } from './weigh/index.ts';
export { type Described, describeCommand, type Work } from './work.ts';
