export { type CaseResult, type Mode, measureCase } from './case.ts';
export { type CompareOptions, type CompareProgress, type Contender, compare, type Row } from './compare.ts';
export { rowsMarkdown } from './markdown.ts';
