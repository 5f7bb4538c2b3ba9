import type { Sight } from '../cache/cache.ts';
import type { Method, ModelFacts } from './method.ts';

/** Which keys queries are compared with. */
export interface Attend extends Method {
  readonly axis: 'attend';
  /** How far the query heads of a key/value head see; undefined: as the model has it. */
  sight(layer: number, kvHead: number, model: ModelFacts): Sight | undefined;
}

/** Every key that the model itself looks at. */
export const dense: Attend = { axis: 'attend', name: 'dense', spec: 'dense', needs: {}, sight: () => undefined };
