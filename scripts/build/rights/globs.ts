/**
 * What text an expression of a compiled chunk may be, as glob patterns: what is known at build time stands in them as it
 * is, and `*` stands for the rest.
 *
 * It follows variables, calls and tables wherever they lead, without regard to order: the answer holds at least what can be.
 */
import { accessOf, literalOf, walk, type LuaNode, type Program, type Variable } from "./lua-program";

/** An expression, and what the parameters of the functions around it are; those that are missing are what any call passes. */
interface Place {
  expression: LuaNode;
  bindings: ReadonlyMap<Variable, Place | null>;
}

const ANYTHING = "*";
/** Beyond so many texts an expression counts as anything. */
const MAX_TEXTS = 512;
/** Calls within calls that are followed. */
const MAX_DEPTH = 24;
const NONE: ReadonlyMap<Variable, Place | null> = new Map();
const NOT_TEXT = new Set(["TableConstructorExpression", "FunctionDeclaration", "NilLiteral", "BooleanLiteral"]);

/** The expressions that a function returns first. */
function returnsOf(body: LuaNode, program: Program): LuaNode[] {
  return [...walk(body)]
    .filter((node) => node.type === "ReturnStatement" && program.ownerOf(node) === body)
    .flatMap((node) => (node["arguments"] as LuaNode[]).slice(0, 1));
}

/** A literal as a glob that matches nothing else. */
function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, "\\$&");
}

/** Every call of a chunk by the function called, and the functions that are handed on as values. */
export class Calls {
  readonly #byFunction = new Map<LuaNode, LuaNode[]>();
  readonly #handedOn = new Set<LuaNode>();

  constructor(private readonly program: Program) {
    for (const { body } of program.modules.values()) this.#collect(body);
  }

  /** The calls of a function; undefined if it may be called where nobody sees it. */
  of(body: LuaNode): LuaNode[] | undefined {
    return this.#handedOn.has(body) ? undefined : (this.#byFunction.get(body) ?? []);
  }

  #collect(root: LuaNode): void {
    for (const node of walk(root)) {
      if (node.type !== "CallExpression") continue;
      for (const callee of this.program.functionsOf(node["base"] as LuaNode)) {
        if (callee) this.#byFunction.set(callee, [...(this.#byFunction.get(callee) ?? []), node]);
      }
      for (const argument of node["arguments"] as LuaNode[]) this.#handOn(argument);
    }
    for (const node of walk(root)) {
      if (node.type === "TableValue" || node.type === "TableKeyString" || node.type === "TableKey")
        this.#handOn(node["value"] as LuaNode);
      if (node.type === "ReturnStatement") for (const each of node["arguments"] as LuaNode[]) this.#handOn(each);
    }
  }

  #handOn(expression: LuaNode): void {
    const isName =
      expression.type === "Identifier" ||
      accessOf(expression) !== undefined ||
      expression.type === "FunctionDeclaration";
    if (!isName) return;
    for (const each of this.program.functionsOf(expression)) if (each) this.#handedOn.add(each);
  }
}

/** Reads texts out of one chunk. */
export class Globs {
  readonly #calls: Calls;

  constructor(private readonly program: Program) {
    this.#calls = new Calls(program);
  }

  /** What an expression may be as text; empty if it is no text. */
  of(expression: LuaNode): Set<string> {
    return new Set(this.#texts({ expression, bindings: NONE }, 0, []));
  }

  /** What a function may answer as text. */
  answeredBy(body: LuaNode): Set<string> {
    return new Set(returnsOf(body, this.program).flatMap((each) => [...this.of(each)]));
  }

  #texts(place: Place | null, depth: number, path: readonly LuaNode[]): string[] {
    if (place === null || depth > MAX_DEPTH) return [ANYTHING];
    const { expression } = place;
    // What leads back to itself adds nothing to what else it may be.
    if (path.includes(expression) && path.filter((each) => each === expression).length > 1) return [];
    const found = new Set(this.#textsOf(place, depth, [...path, expression]));
    return found.size > MAX_TEXTS || (found.has(ANYTHING) && found.size > MAX_TEXTS / 2) ? [ANYTHING] : [...found];
  }

  #textsOf({ expression, bindings }: Place, depth: number, path: readonly LuaNode[]): string[] {
    const literal = literalOf(expression);
    if (literal !== undefined) return [escapeGlob(literal)];
    if (NOT_TEXT.has(expression.type)) return [];
    if (expression.type === "NumericLiteral") return [String(expression["value"])];
    if (expression.type === "BinaryExpression") {
      if (expression["operator"] !== "..") return [ANYTHING];
      const [left, right] = (["left", "right"] as const).map((side) => {
        const texts = this.#texts({ expression: expression[side] as LuaNode, bindings }, depth + 1, path);
        return texts.length > 0 ? texts : [ANYTHING];
      });
      return left!.flatMap((before) => right!.map((after) => (before + after).replace(/(?<!\\)\*+/g, ANYTHING)));
    }
    return this.#alternatives({ expression, bindings }).flatMap((each) => this.#texts(each, depth + 1, path));
  }

  /** What an expression stands for, one step on; null for something unknown. */
  #alternatives({ expression, bindings }: Place): (Place | null)[] {
    const here = (each: LuaNode | null): Place | null => each && { expression: each, bindings };
    switch (expression.type) {
      case "LogicalExpression":
        return [expression["left"], expression["right"]]
          .filter((each) => !isTest(expression, each as LuaNode))
          .map((each) => here(each as LuaNode));
      case "Identifier":
        return this.#valuesOf(expression, bindings);
      case "CallExpression":
        return this.#answersOf({ expression, bindings });
      case "MemberExpression":
      case "IndexExpression": {
        const target = this.program.targetOf(expression);
        if (target?.kind === "export")
          return (target.module.exports.get(target.name) ?? [null]).map(
            (each) => each && { expression: each, bindings: NONE },
          );
        const { base, name } = accessOf(expression)!;
        return this.#fieldsOf({ expression: base, bindings }, name, 0);
      }
      default:
        return [null];
    }
  }

  #valuesOf(identifier: LuaNode, bindings: ReadonlyMap<Variable, Place | null>): (Place | null)[] {
    const variable = this.program.variableOf(identifier);
    if (!variable) return [null];
    const values = variable.values.map((each) => each && { expression: each, bindings });
    return variable.parameter === undefined ? values : [...values, ...this.#passed(variable, bindings)];
  }

  /** What calls pass for a parameter. */
  #passed(variable: Variable, bindings: ReadonlyMap<Variable, Place | null>): (Place | null)[] {
    const bound = bindings.get(variable);
    if (bound !== undefined) return [bound];
    const calls = this.#calls.of(variable.owner);
    if (calls === undefined) return [null];
    return calls.map((call) => {
      const argument = (call["arguments"] as LuaNode[])[variable.parameter!];
      return argument ? { expression: argument, bindings: NONE } : null;
    });
  }

  /** What a call answers, its arguments bound. */
  #answersOf({ expression, bindings }: Place): (Place | null)[] {
    const args = expression["arguments"] as LuaNode[];
    return this.program.functionsOf(expression["base"] as LuaNode).flatMap((body) => {
      if (!body) return [null];
      const inner = new Map(bindings);
      for (const [at, parameter] of (body["parameters"] as LuaNode[]).entries()) {
        const variable = this.program.variableOf(parameter);
        const argument = args[at];
        if (variable) inner.set(variable, argument ? { expression: argument, bindings } : null);
      }
      return returnsOf(body, this.program).map((each) => ({ expression: each, bindings: inner }));
    });
  }

  /** What a field of a table may hold; every field, where the name is not known. */
  #fieldsOf(place: Place | null, name: string | undefined, depth: number): (Place | null)[] {
    if (place === null || depth > MAX_DEPTH) return [null];
    const { expression, bindings } = place;
    if (expression.type === "NilLiteral") return [];
    if (expression.type === "TableConstructorExpression") {
      return (expression["fields"] as LuaNode[]).flatMap((field) => {
        const key =
          field.type === "TableKeyString"
            ? ((field["key"] as LuaNode)["name"] as string)
            : literalOf(field["key"] as LuaNode | undefined);
        return name === undefined || key === undefined || key === name
          ? [{ expression: field["value"] as LuaNode, bindings }]
          : [];
      });
    }
    const variable = expression.type === "Identifier" ? this.program.variableOf(expression) : undefined;
    const assigned = (variable?.fields ?? []).flatMap((field) =>
      name === undefined || field.name === undefined || field.name === name
        ? [field.value && { expression: field.value, bindings }]
        : [],
    );
    return [...assigned, ...this.#alternatives(place).flatMap((each) => this.#fieldsOf(each, name, depth + 1))];
  }
}

/** Of `a and b`, the left side is only a test: what is answered of it is false. */
function isTest(expression: LuaNode, side: LuaNode): boolean {
  return expression["operator"] === "and" && side === expression["left"];
}
