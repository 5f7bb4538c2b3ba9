export {
  type ComparedLosses,
  type LossSummary,
  lossesByPosition,
  lossGap,
  needleGain,
  summarizeLosses,
} from './losses.ts';
export { exactMatch, recall } from './recall.ts';
export { rouge1Recall } from './rouge.ts';
