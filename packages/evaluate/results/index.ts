export { type ResultOf, resultKey } from './key.ts';
export { type Json, ResultStore } from './store.ts';
