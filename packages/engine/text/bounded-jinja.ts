import {
  childrenOf,
  entriesOf,
  Interpreter,
  isCallable,
  type Node,
  type Scope,
  textOf,
  toValue,
  type Value,
} from './jinja.ts';
import { refuse, type TemplateBudget } from './template-budget.ts';
import {
  type Arguments,
  checkListFilter,
  checkTextOperation,
  checkToJson,
  splitArguments,
  stripped,
} from './template-operations.ts';

/** A node whose value is known already. */
interface Constant extends Node {
  readonly type: 'LociConstant';
  readonly constant: Value;
}

function isConstant(node: Node): node is Constant {
  return node.type === 'LociConstant';
}

function constant(value: Value): Constant {
  return { type: 'LociConstant', constant: value };
}

/** Nodes that make a new value rather than pass one on, beside those that have a method of their own here. */
const MAKERS = new Set([
  'ArrayLiteral',
  'TupleLiteral',
  'ObjectLiteral',
  'CallExpression',
  'CallStatement',
  'For',
  'If',
  'Program',
]);
/** Nodes of a block that are not expressions. */
const STATEMENTS = new Set([
  'Set',
  'If',
  'For',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Break',
  'Continue',
  'Comment',
]);
/** Some filters look at the form of their arguments, so literals stay what they are. */
const LITERALS = new Set(['StringLiteral', 'IntegerLiteral', 'FloatLiteral']);

/**
 * Runs a template within a budget. The interpreter calls `evaluate` for every node, so every step is counted here, and
 * what a single step could make huge is refused before it is made.
 */
export class BoundedInterpreter extends Interpreter {
  readonly #budget: TemplateBudget;
  /** Expressions whose value is written to the output where they stand. */
  readonly #outputs: ReadonlySet<Node>;
  readonly #guarded = new WeakSet<Value>();

  constructor(scope: Scope, program: Node, budget: TemplateBudget) {
    super(scope);
    this.#budget = budget;
    this.#outputs = collectOutputs(program);
  }

  override evaluate(node: Node | undefined, scope: Scope): Value {
    if (node === undefined) return super.evaluate(node, scope);
    if (isConstant(node)) return node.constant;
    this.#budget.enter();
    try {
      const value = this.#evaluate(node, scope);
      if (MAKERS.has(node.type) || this.#outputs.has(node)) this.#budget.charge(value);
      return value;
    } finally {
      this.#budget.leave();
    }
  }

  #evaluate(node: Node, scope: Scope): Value {
    switch (node.type) {
      case 'BinaryExpression':
        return this.#binary(node, scope);
      case 'MemberExpression':
        return this.#member(node, scope);
      case 'FilterExpression':
        return this.#filter(node.operand, node.filter, scope);
      case 'FilterStatement':
        return this.#filter({ type: 'Program', body: node.body ?? [] }, node.filter, scope);
      default:
        return super.evaluate(node, scope);
    }
  }

  #binary(node: Node, scope: Scope): Value {
    const operator = node.operator?.value ?? '';
    if (operator === 'and' || operator === 'or') return super.evaluate(node, scope);
    const left = this.evaluate(node.left, scope);
    const right = this.evaluate(node.right, scope);
    // Lists are written out when they meet text.
    this.#budget.measure(left);
    this.#budget.measure(right);
    const needle = textOf(left);
    const text = textOf(right);
    if ((operator === 'in' || operator === 'not in') && needle !== undefined && text !== undefined) {
      this.#budget.search(text.length, needle.length);
    }
    const value = super.evaluate({ ...node, left: constant(left), right: constant(right) }, scope);
    this.#budget.charge(value);
    return value;
  }

  #member(node: Node, scope: Scope): Value {
    const object = this.evaluate(node.object, scope);
    const text = textOf(object);
    if (node.property?.type === 'SliceExpression') {
      // Slicing takes text apart into characters first.
      if (text !== undefined) this.#budget.expectEntries(text.length);
      const slice = super.evaluate({ ...node, object: constant(object) }, scope);
      this.#budget.charge(slice);
      return slice;
    }
    const computed = node.computed === true ? this.evaluate(node.property, scope) : undefined;
    const property = computed === undefined ? node.property : constant(computed);
    const value = super.evaluate({ ...node, object: constant(object), ...(property && { property }) }, scope);
    const name = computed === undefined ? node.property?.value : computed.value;
    if (text !== undefined && typeof name === 'string') this.#guard(value, name, text);
    return value;
  }

  /** Makes a method of a text check its arguments. The check must travel with it, since it may be called anywhere. */
  #guard(method: Value, name: string, text: string): void {
    if (!isCallable(method) || this.#guarded.has(method)) return;
    this.#guarded.add(method);
    const call = method.value;
    method.value = (args: Value[], scope: Scope): Value => {
      checkTextOperation(name, text, splitArguments(args), this.#budget);
      const result = stripped(name, text, textOf(args[0]));
      return result === undefined ? call(args, scope) : toValue(result);
    };
  }

  #filter(operandNode: Node | undefined, filter: Node | undefined, scope: Scope): Value {
    if (filter === undefined) throw refuse('it has a filter without a name');
    const operand = this.evaluate(operandNode, scope);
    const { nodes, args } = this.#fixArguments(filter.args ?? [], scope);
    const name = filter.type === 'Identifier' ? filter.value : filter.callee?.value;
    if (typeof name === 'string') this.#checkFilter(name, operand, args);
    const fixed: Node = { type: 'FilterExpression', operand: constant(operand), filter: { ...filter, args: nodes } };
    // The first of an empty list comes back as nothing at all.
    const value: Value | undefined = super.evaluate(fixed, scope);
    if (value === undefined) return toValue(undefined);
    this.#budget.charge(value);
    return value;
  }

  #checkFilter(name: string, operand: Value, args: Arguments): void {
    const text = textOf(operand);
    if (name === 'tojson') checkToJson(operand, args, this.#budget);
    else if (text !== undefined) checkTextOperation(name, text, args, this.#budget);
    else if (childrenOf(operand) !== undefined) checkListFilter(name, operand, args, this.#budget);
  }

  /** Evaluates the arguments of a filter, and gives nodes that evaluate to the same once more. */
  #fixArguments(nodes: readonly Node[], scope: Scope): { nodes: Node[]; args: Arguments } {
    const positional: Value[] = [];
    const named = new Map<string, Value>();
    const fixed = nodes.map((node): Node => {
      switch (node.type) {
        case 'KeywordArgumentExpression': {
          const value = this.evaluate(isNode(node.value) ? node.value : undefined, scope);
          if (typeof node.key?.value === 'string') named.set(node.key.value, value);
          return { ...node, value: constant(value) };
        }
        case 'SpreadExpression': {
          const list = this.evaluate(node.argument, scope);
          for (const value of childrenOf(list) ?? []) positional.push(value);
          return { ...node, argument: constant(list) };
        }
        case 'KeywordSpreadExpression': {
          const mapping = this.evaluate(node.argument, scope);
          for (const [key, value] of entriesOf(mapping)) named.set(key, value);
          return { ...node, argument: constant(mapping) };
        }
        default: {
          const value = this.evaluate(node, scope);
          positional.push(value);
          return LITERALS.has(node.type) ? node : constant(value);
        }
      }
    });
    return { nodes: fixed, args: { positional, named } };
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** Expressions that stand in a block by themselves, so that their value becomes output. */
function collectOutputs(program: Node): Set<Node> {
  const outputs = new Set<Node>();
  const waiting = [program];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    for (const block of [node.body, node.alternate, node.defaultBlock]) {
      for (const child of block ?? []) {
        if (STATEMENTS.has(child.type)) waiting.push(child);
        else outputs.add(child);
      }
    }
  }
  return outputs;
}
