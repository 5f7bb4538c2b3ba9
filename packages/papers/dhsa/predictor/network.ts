/** Sizes of a predictor of boundaries. */
export interface PredictorShape {
  /** Numbers of a token: keys of all heads. */
  readonly c: number;
  readonly heads: number;
  /** Tokens on either side of a gap. */
  readonly w: number;
  readonly hidden: number;
}

/** Names, and order, of PyTorch's: `enc.mha.in_proj_weight` and so on. */
export const parameterNames = [
  'enc.mha.in_proj_weight',
  'enc.mha.in_proj_bias',
  'enc.mha.out_proj.weight',
  'enc.mha.out_proj.bias',
  'enc.norm.weight',
  'enc.norm.bias',
  'mlp.0.weight',
  'mlp.0.bias',
  'mlp.2.weight',
  'mlp.2.bias',
] as const;
export type ParameterName = (typeof parameterNames)[number];
export type Parameters = Readonly<Record<ParameterName, Float64Array>>;

export function parameterShapes({ c, hidden }: PredictorShape): Readonly<Record<ParameterName, readonly number[]>> {
  return {
    'enc.mha.in_proj_weight': [3 * c, c],
    'enc.mha.in_proj_bias': [3 * c],
    'enc.mha.out_proj.weight': [c, c],
    'enc.mha.out_proj.bias': [c],
    'enc.norm.weight': [c],
    'enc.norm.bias': [c],
    'mlp.0.weight': [hidden, 4 * c + 1],
    'mlp.0.bias': [hidden],
    'mlp.2.weight': [1, hidden],
    'mlp.2.bias': [1],
  };
}

export function mapParameters(make: (name: ParameterName) => Float64Array): Parameters {
  return {
    'enc.mha.in_proj_weight': make('enc.mha.in_proj_weight'),
    'enc.mha.in_proj_bias': make('enc.mha.in_proj_bias'),
    'enc.mha.out_proj.weight': make('enc.mha.out_proj.weight'),
    'enc.mha.out_proj.bias': make('enc.mha.out_proj.bias'),
    'enc.norm.weight': make('enc.norm.weight'),
    'enc.norm.bias': make('enc.norm.bias'),
    'mlp.0.weight': make('mlp.0.weight'),
    'mlp.0.bias': make('mlp.0.bias'),
    'mlp.2.weight': make('mlp.2.weight'),
    'mlp.2.bias': make('mlp.2.bias'),
  };
}

/** What PyTorch begins with: Xavier's uniform numbers for the projection in, ± 1 / √inputs elsewhere. */
export function initialParameters(shape: PredictorShape, next: () => number): Parameters {
  const shapes = parameterShapes(shape);
  const uniform = (count: number, bound: number) =>
    Float64Array.from({ length: count }, () => (2 * next() - 1) * bound);
  return mapParameters((name) => {
    const [rows = 0, columns = 1] = shapes[name];
    const count = rows * columns;
    if (name === 'enc.norm.weight') return new Float64Array(count).fill(1);
    if (name === 'enc.mha.in_proj_weight') return uniform(count, Math.sqrt(6 / (rows + columns)));
    if (name === 'mlp.0.bias') return uniform(count, 1 / Math.sqrt(4 * shape.c + 1));
    if (name === 'mlp.2.bias') return uniform(count, 1 / Math.sqrt(shape.hidden));
    if (name.endsWith('ias')) return new Float64Array(count);
    return uniform(count, 1 / Math.sqrt(columns));
  });
}

/** A matrix, row by row. */
export interface Rows {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** a · bᵀ, [a.rows, b.rows]. */
export type Multiply = (a: Rows, b: Rows) => Promise<Float64Array>;

/** In float64. */
export const multiplyReference: Multiply = async (a, b) => {
  const out = new Float64Array(a.rows * b.rows);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) {
      let sum = 0;
      for (let k = 0; k < a.columns; k++) sum += a.values[i * a.columns + k]! * b.values[j * b.columns + k]!;
      out[i * b.rows + j] = sum;
    }
  }
  return out;
};

function transposed({ rows, columns, values }: Rows): Rows {
  const out = new Float64Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j]!;
  return { rows: columns, columns: rows, values: out };
}

const matrix = (values: Float64Array, rows: number): Rows => ({ rows, columns: values.length / rows, values });

function addBias(values: Float64Array, bias: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i]! += bias[i % bias.length]!;
}

function columnSums(values: Float64Array, columns: number): Float64Array {
  const sums = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) sums[i % columns]! += values[i]!;
  return sums;
}

/** What the backward pass needs of the forward pass. */
export interface Forward {
  readonly logits: Float64Array;
  readonly windows: Rows;
  readonly projected: Float64Array;
  /** [gaps, heads, 2 w, 2 w] */
  readonly weights: Float64Array;
  readonly mixed: Float64Array;
  /** [gaps · 2 w, c] before weight and bias, and 1 / deviation of every row. */
  readonly normed: Float64Array;
  readonly inverses: Float64Array;
  readonly features: Float64Array;
  readonly hidden: Float64Array;
}

const epsilon = 1e-5;

/**
 * Logits of gaps from their windows [gaps · 2 w, c]: attention of a window's tokens to one another, a norm, means of both
 * halves, what they have to do with one another, and two layers (section 3.2, boundary predictor).
 */
export async function forward(
  shape: PredictorShape,
  p: Parameters,
  windows: Float64Array,
  multiply: Multiply,
): Promise<Forward> {
  const { c, heads, w, hidden: units } = shape;
  const size = 2 * w;
  const x = matrix(windows, windows.length / c);
  const gaps = x.rows / size;
  const projected = await multiply(x, matrix(p['enc.mha.in_proj_weight'], 3 * c));
  addBias(projected, p['enc.mha.in_proj_bias']);
  const weights = new Float64Array(gaps * heads * size * size);
  const mixed = new Float64Array(windows.length);
  const headSize = c / heads;
  for (let gap = 0; gap < gaps; gap++) {
    for (let head = 0; head < heads; head++) {
      for (let t = 0; t < size; t++) {
        const row = gap * size + t;
        const at = ((gap * heads + head) * size + t) * size;
        let top = Number.NEGATIVE_INFINITY;
        for (let j = 0; j < size; j++) {
          const q = row * 3 * c + head * headSize;
          const k = (gap * size + j) * 3 * c + c + head * headSize;
          let score = 0;
          for (let i = 0; i < headSize; i++) score += projected[q + i]! * projected[k + i]!;
          weights[at + j] = score / Math.sqrt(headSize);
          top = Math.max(top, weights[at + j]!);
        }
        let total = 0;
        for (let j = 0; j < size; j++) {
          weights[at + j] = Math.exp(weights[at + j]! - top);
          total += weights[at + j]!;
        }
        for (let j = 0; j < size; j++) {
          const weight = weights[at + j]! / total;
          weights[at + j] = weight;
          const v = (gap * size + j) * 3 * c + 2 * c + head * headSize;
          for (let i = 0; i < headSize; i++) mixed[row * c + head * headSize + i]! += weight * projected[v + i]!;
        }
      }
    }
  }
  const normed = await multiply(matrix(mixed, x.rows), matrix(p['enc.mha.out_proj.weight'], c));
  addBias(normed, p['enc.mha.out_proj.bias']);
  const inverses = new Float64Array(x.rows);
  const width = 4 * c + 1;
  const features = new Float64Array(gaps * width);
  for (let row = 0; row < x.rows; row++) {
    let mean = 0;
    for (let i = 0; i < c; i++) mean += normed[row * c + i]! / c;
    let variance = 0;
    for (let i = 0; i < c; i++) variance += (normed[row * c + i]! - mean) ** 2 / c;
    const inverse = 1 / Math.sqrt(variance + epsilon);
    inverses[row] = inverse;
    const gap = Math.floor(row / size);
    const side = gap * width + (row % size < w ? 0 : c);
    for (let i = 0; i < c; i++) {
      const one = (normed[row * c + i]! - mean) * inverse;
      normed[row * c + i] = one;
      features[side + i]! += (one * p['enc.norm.weight'][i]! + p['enc.norm.bias'][i]!) / w;
    }
  }
  for (let gap = 0; gap < gaps; gap++) {
    const l = gap * width;
    const r = l + c;
    let product = 0;
    for (let i = 0; i < c; i++) {
      features[l + 2 * c + i] = Math.abs(features[l + i]! - features[r + i]!);
      features[l + 3 * c + i] = features[l + i]! * features[r + i]!;
      product += features[l + 3 * c + i]!;
    }
    features[l + 4 * c] = product / (lengthOf(features, l, c) * lengthOf(features, r, c));
  }
  const hidden = await multiply(matrix(features, gaps), matrix(p['mlp.0.weight'], units));
  addBias(hidden, p['mlp.0.bias']);
  const logits = new Float64Array(gaps).fill(p['mlp.2.bias'][0]!);
  for (let i = 0; i < hidden.length; i++) {
    hidden[i] = Math.max(0, hidden[i]!);
    logits[Math.floor(i / units)]! += hidden[i]! * p['mlp.2.weight'][i % units]!;
  }
  return { logits, windows: x, projected, weights, mixed, normed, inverses, features, hidden };
}

function lengthOf(values: Float64Array, from: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[from + i]! ** 2;
  return Math.max(1e-6, Math.sqrt(sum));
}

/** Gradients of a loss by its derivatives [gaps] by the logits. */
export async function backward(
  shape: PredictorShape,
  p: Parameters,
  f: Forward,
  slopes: Float64Array,
  multiply: Multiply,
): Promise<Parameters> {
  const { c, heads, w, hidden: units } = shape;
  const size = 2 * w;
  const gaps = slopes.length;
  const width = 4 * c + 1;
  const product = (a: Float64Array, rows: number, b: Float64Array, others: number) =>
    multiply(matrix(a, rows), matrix(b, others));
  /** aᵀ · b of two matrices with as many rows: the gradient of weights. */
  const outer = (a: Float64Array, b: Float64Array, rows: number) =>
    multiply(transposed(matrix(a, rows)), transposed(matrix(b, rows)));

  const lastWeight = new Float64Array(units);
  const dHidden = new Float64Array(gaps * units);
  for (let i = 0; i < dHidden.length; i++) {
    const slope = slopes[Math.floor(i / units)]!;
    lastWeight[i % units]! += slope * f.hidden[i]!;
    if (f.hidden[i]! > 0) dHidden[i] = slope * p['mlp.2.weight'][i % units]!;
  }
  const firstWeight = await outer(dHidden, f.features, gaps);
  const back = transposed(matrix(p['mlp.0.weight'], units));
  const dFeatures = await product(dHidden, gaps, back.values, width);

  const dRows = new Float64Array(gaps * size * c);
  const normWeight = new Float64Array(c);
  const normBias = new Float64Array(c);
  const sides = [new Float64Array(c), new Float64Array(c)];
  for (let gap = 0; gap < gaps; gap++) {
    sideSlopes(f.features, dFeatures, gap * width, c, sides);
    for (let t = 0; t < size; t++) {
      const row = gap * size + t;
      const side = sides[t < w ? 0 : 1]!;
      let mean = 0;
      let along = 0;
      for (let i = 0; i < c; i++) {
        const slope = side[i]! / w;
        const one = f.normed[row * c + i]!;
        normWeight[i]! += slope * one;
        normBias[i]! += slope;
        mean += (slope * p['enc.norm.weight'][i]!) / c;
        along += (slope * p['enc.norm.weight'][i]! * one) / c;
      }
      for (let i = 0; i < c; i++) {
        const slope = (side[i]! / w) * p['enc.norm.weight'][i]!;
        dRows[row * c + i] = f.inverses[row]! * (slope - mean - f.normed[row * c + i]! * along);
      }
    }
  }
  const outWeight = await outer(dRows, f.mixed, gaps * size);
  const dMixed = await product(dRows, gaps * size, transposed(matrix(p['enc.mha.out_proj.weight'], c)).values, c);
  const dProjected = attentionSlopes(f, dMixed, { c, heads, size, gaps });
  return {
    'enc.mha.in_proj_weight': await outer(dProjected, f.windows.values, gaps * size),
    'enc.mha.in_proj_bias': columnSums(dProjected, 3 * c),
    'enc.mha.out_proj.weight': outWeight,
    'enc.mha.out_proj.bias': columnSums(dRows, c),
    'enc.norm.weight': normWeight,
    'enc.norm.bias': normBias,
    'mlp.0.weight': firstWeight,
    'mlp.0.bias': columnSums(dHidden, units),
    'mlp.2.weight': lastWeight,
    'mlp.2.bias': Float64Array.of(slopes.reduce((sum, slope) => sum + slope, 0)),
  };
}

/** Derivatives by the two means, of features that begin at `at`. */
function sideSlopes(
  features: Float64Array,
  slopes: Float64Array,
  at: number,
  c: number,
  [left, right]: readonly Float64Array[],
): void {
  const [l, r] = [lengthOf(features, at, c), lengthOf(features, at + c, c)];
  const cosine = features[at + 4 * c]!;
  const toCosine = slopes[at + 4 * c]!;
  for (let i = 0; i < c; i++) {
    const [a, b] = [features[at + i]!, features[at + c + i]!];
    const distance = Math.sign(a - b) * slopes[at + 2 * c + i]!;
    const product = slopes[at + 3 * c + i]!;
    left![i] = slopes[at + i]! + distance + product * b + toCosine * (b / (l * r) - (cosine * a) / (l * l));
    right![i] = slopes[at + c + i]! - distance + product * a + toCosine * (a / (l * r) - (cosine * b) / (r * r));
  }
}

/** Derivatives by queries, keys and values [gaps · size, 3 c]. */
function attentionSlopes(
  { projected, weights }: Forward,
  dMixed: Float64Array,
  { c, heads, size, gaps }: { c: number; heads: number; size: number; gaps: number },
): Float64Array {
  const out = new Float64Array(projected.length);
  const headSize = c / heads;
  const scale = 1 / Math.sqrt(headSize);
  const dWeights = new Float64Array(size);
  for (let gap = 0; gap < gaps; gap++) {
    for (let head = 0; head < heads; head++) {
      for (let t = 0; t < size; t++) {
        const row = gap * size + t;
        const at = ((gap * heads + head) * size + t) * size;
        const d = row * c + head * headSize;
        const q = row * 3 * c + head * headSize;
        let along = 0;
        for (let j = 0; j < size; j++) {
          const v = (gap * size + j) * 3 * c + 2 * c + head * headSize;
          let slope = 0;
          for (let i = 0; i < headSize; i++) {
            slope += dMixed[d + i]! * projected[v + i]!;
            out[v + i]! += weights[at + j]! * dMixed[d + i]!;
          }
          dWeights[j] = slope;
          along += slope * weights[at + j]!;
        }
        for (let j = 0; j < size; j++) {
          const slope = weights[at + j]! * (dWeights[j]! - along) * scale;
          const k = (gap * size + j) * 3 * c + c + head * headSize;
          for (let i = 0; i < headSize; i++) {
            out[q + i]! += slope * projected[k + i]!;
            out[k + i]! += slope * projected[q + i]!;
          }
        }
      }
    }
  }
  return out;
}

export interface Focal {
  readonly gamma: number;
  readonly positiveWeight: number;
}

/** Mean focal cross-entropy of logits, and its derivatives by them; labels are 0 or 1 (Lin et al. 2017, equation 4). */
export function focalLoss(
  logits: Float64Array,
  labels: ArrayLike<number>,
  { gamma, positiveWeight }: Focal,
): { readonly loss: number; readonly slopes: Float64Array } {
  let loss = 0;
  const slopes = logits.map((logit, i) => {
    // Of the right answer: how sure the network is of it.
    const sign = labels[i] === 1 ? 1 : -1;
    const weight = (labels[i] === 1 ? positiveWeight : 1) / logits.length;
    const likely = 1 / (1 + Math.exp(-sign * logit));
    const nats = Math.log1p(Math.exp(-Math.abs(logit))) + Math.max(0, -sign * logit);
    const doubt = 1 - likely;
    loss += weight * doubt ** gamma * nats;
    return -sign * weight * doubt ** gamma * (gamma * likely * nats + doubt);
  });
  return { loss, slopes };
}
