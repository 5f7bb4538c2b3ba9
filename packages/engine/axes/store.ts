import { type PageFormat, pageFormats } from '@loci/kernels';
import type { Method } from './method.ts';

/** In which bytes keys and values lie. */
export interface Store extends Method {
  readonly axis: 'store';
  readonly format: PageFormat;
}

/** Pages of one format, named after it. */
export function pages(format: PageFormat): Store {
  return { axis: 'store', name: format, spec: format, needs: { decides: ['format'] }, format };
}

export function isPageFormat(text: string): text is PageFormat {
  return pageFormats.some((format) => format === text);
}
