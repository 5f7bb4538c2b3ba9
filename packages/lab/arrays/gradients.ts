/** Reverse-mode differentiation: expressions for the derivatives of an expression. */
import * as f from './functions.ts';
import { type Binary, operands, reachable, sameShape, type Tensor, tensor, type Unary } from './tensor.ts';

/** Derivatives of a number (an expression without axes) by each of `wrt`, which it must depend on. */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): readonly Tensor[] {
  if (loss.shape.length > 0) throw new RangeError(`only a number has a gradient, not [${loss.shape.join(', ')}]`);
  const all = reachable([loss]);
  const wanted = new Set(wrt);
  for (const one of all) if (operands(one).some((x) => wanted.has(x))) wanted.add(one);
  const adjoints = new Map<Tensor, Tensor>([[loss, f.constant([], [1])]]);
  for (const one of all.toReversed()) {
    const dy = adjoints.get(one);
    if (!dy || !wanted.has(one)) continue;
    for (const [x, dx] of pullBack(one, dy, (operand) => wanted.has(operand))) {
      const other = adjoints.get(x);
      adjoints.set(x, other ? f.add(other, dx) : dx);
    }
  }
  return wrt.map((x) => {
    const found = adjoints.get(x);
    if (!found)
      throw new RangeError(`the loss does not depend on ${x.op.kind === 'parameter' ? x.op.name : x.op.kind}`);
    return found;
  });
}

type Share = readonly [Tensor, Tensor];

/** What each operand of y that is wanted gets of dy. */
function pullBack(y: Tensor, dy: Tensor, wanted: (x: Tensor) => boolean): readonly Share[] {
  const { op } = y;
  switch (op.kind) {
    case 'input':
    case 'parameter':
    case 'constant':
      return [];
    case 'reshape':
      return [[op.x, f.reshape(dy, op.x.shape)]];
    case 'permute':
      return [
        [
          op.x,
          f.permute(
            dy,
            op.axes.map((_, i) => op.axes.indexOf(i)),
          ),
        ],
      ];
    case 'broadcast':
      return [[op.x, op.x.shape.reduce((d, size, i) => (size === d.shape[i] ? d : f.sum(d, i)), dy)]];
    case 'slice':
      return [[op.x, f.pad(dy, op.x.shape, op.begin)]];
    case 'pad':
      return [[op.x, part(dy, op.x.shape, op.begin)]];
    case 'concat': {
      let at = 0;
      return op.parts.map((x) => {
        const begin = at;
        at += f.dimension(x, op.axis);
        return [x, f.slice(dy, op.axis, begin, at)];
      });
    }
    case 'unary':
      return [[op.x, unaryShare(op.f, op.x, y, dy)]];
    case 'affine':
      return [[op.x, f.affine(dy, op.scale)]];
    case 'binary':
      return binaryShares(op.f, op.x, op.y, y, dy, wanted);
    case 'matmul': {
      const shares: Share[] = [];
      if (wanted(op.x)) shares.push([op.x, f.matmul(dy, f.transpose(op.y))]);
      if (wanted(op.y)) shares.push([op.y, f.matmul(f.transpose(op.x), dy)]);
      return shares;
    }
    case 'sum':
      return [[op.x, f.broadcast(dy, op.x.shape)]];
    case 'cumsum':
      return [[op.x, f.cumsum(dy, op.axis, !op.reverse)]];
    case 'softmax':
      return [[op.x, tensor(y.shape, { kind: 'softmaxGradient', y, dy, scale: op.scale })]];
    case 'norm': {
      const { x, epsilon, centred } = op;
      return [[x, tensor(y.shape, { kind: 'normGradient', x, dy, epsilon, centred })]];
    }
    case 'gather':
      return [[op.table, tensor(op.table.shape, { kind: 'scatter', x: dy, ids: op.ids })]];
    case 'crossEntropy': {
      const { logits, labels } = op;
      return [[logits, tensor(logits.shape, { kind: 'crossEntropyGradient', logits, labels, dy })]];
    }
    case 'convolve': {
      const { x, filter, ahead } = op;
      const shares: Share[] = [];
      if (wanted(x)) shares.push([x, tensor(x.shape, { kind: 'convolve', x: dy, filter, ahead: !ahead })]);
      if (wanted(filter)) {
        // Looking ahead exchanges the two.
        const [from, to] = ahead ? [dy, x] : [x, dy];
        shares.push([filter, tensor(filter.shape, { kind: 'convolveFilterGradient', x: from, dy: to })]);
      }
      return shares;
    }
    case 'scatter':
      return [[op.x, f.gather(dy, op.ids)]];
    case 'softmaxGradient':
    case 'normGradient':
    case 'crossEntropyGradient':
    case 'convolveFilterGradient':
      throw new RangeError(`${op.kind} is a derivative, of which there is no further one`);
    default:
      return op satisfies never;
  }
}

function part(x: Tensor, shape: readonly number[], begin: readonly number[]): Tensor {
  return sameShape(x.shape, shape) ? x : tensor(shape, { kind: 'slice', x, begin });
}

function unaryShare(name: Unary, x: Tensor, y: Tensor, dy: Tensor): Tensor {
  const of = (
    kind: 'tanhGradient' | 'sigmoidGradient' | 'siluGradient' | 'geluGradient' | 'reluGradient',
    at: Tensor,
  ) => tensor(dy.shape, { kind: 'binary', f: kind, x: at, y: dy });
  switch (name) {
    case 'exp':
      return f.mul(dy, y);
    case 'log':
      return f.div(dy, x);
    case 'tanh':
      return of('tanhGradient', y);
    case 'sigmoid':
      return of('sigmoidGradient', y);
    case 'silu':
      return of('siluGradient', x);
    case 'gelu':
      return of('geluGradient', x);
    case 'relu':
      return of('reluGradient', x);
    case 'square':
      return f.affine(f.mul(dy, x), 2);
    case 'sqrt':
      return f.affine(f.div(dy, y), 0.5);
    default:
      return f.affine(f.mul(dy, f.square(y)), -1);
  }
}

function binaryShares(
  name: Binary,
  x: Tensor,
  y: Tensor,
  out: Tensor,
  dy: Tensor,
  wanted: (x: Tensor) => boolean,
): readonly Share[] {
  const shares: Share[] = [];
  switch (name) {
    case 'add':
      return [
        [x, dy],
        [y, dy],
      ];
    case 'sub':
      return [
        [x, dy],
        [y, f.affine(dy, -1)],
      ];
    case 'mul':
      if (wanted(x)) shares.push([x, f.mul(dy, y)]);
      if (wanted(y)) shares.push([y, f.mul(dy, x)]);
      return shares;
    case 'div':
      if (wanted(x)) shares.push([x, f.div(dy, y)]);
      if (wanted(y)) shares.push([y, f.affine(f.div(f.mul(dy, out), y), -1)]);
      return shares;
    case 'reluGradient':
      // Constant in x wherever it has a slope.
      return wanted(y) ? [[y, tensor(dy.shape, { kind: 'binary', f: 'reluGradient', x, y: dy })]] : [];
    default:
      throw new RangeError(`${name} is a derivative, of which there is no further one`);
  }
}
