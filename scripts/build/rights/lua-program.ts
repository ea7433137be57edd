/** A compiled chunk as its modules, functions and variables: who mentions whom, and what a variable may hold. */
import luaparse from "luaparse";

/** A node of the syntax tree; which properties it has depends on its type. */
export interface LuaNode {
  type: string;
  [property: string]: unknown;
}

/** A local variable or parameter. */
export interface Variable {
  name: string;
  /** The function in which it is declared. */
  owner: LuaNode;
  /** All expressions that are assigned to it; null for one that is not known. */
  values: (LuaNode | null)[];
  /** What is assigned to fields of it; the name is undefined where it is computed. */
  fields: { name: string | undefined; value: LuaNode | null }[];
  /** Its place among the parameters of its owner. */
  parameter?: number;
}

export interface Module {
  name: string;
  /** The function that is the module. */
  body: LuaNode;
  /** What is assigned to each of its exports. */
  exports: Map<string, LuaNode[]>;
}

/** Something at the level of a module that code can mention. */
export type Target = { kind: "variable"; variable: Variable } | { kind: "export"; module: Module; name: string };

export interface Program {
  modules: Map<string, Module>;
  /** The variable that an identifier stands for; undefined for a global. */
  variableOf(identifier: LuaNode): Variable | undefined;
  /** What a node mentions of the level of modules, nested functions included. */
  targetsOf(node: LuaNode): Target[];
  /** What an expression mentions, if it is nothing but a name. */
  targetOf(expression: LuaNode): Target | undefined;
  /** The functions that an expression may be; undefined among them if it may be something unknown. */
  functionsOf(expression: LuaNode): (LuaNode | undefined)[];
  /** The function in which a node stands. */
  ownerOf(node: LuaNode): LuaNode;
}

/** The children of a node, in the order of the text. */
export function* childrenOf(node: LuaNode): Generator<LuaNode> {
  for (const child of Object.values(node)) {
    for (const each of Array.isArray(child) ? (child as unknown[]) : [child]) {
      if (typeof each === "object" && each !== null && "type" in each) yield each as LuaNode;
    }
  }
}

/** A node and all below it. */
export function* walk(node: LuaNode): Generator<LuaNode> {
  yield node;
  for (const child of childrenOf(node)) yield* walk(child);
}

/** The text of a string literal; undefined for anything else. */
export function literalOf(node: LuaNode | undefined): string | undefined {
  return node?.type === "StringLiteral" ? (node["value"] as string) : undefined;
}

/** Where a node stands in the chunk, for messages. */
export function lineOf(node: LuaNode): number {
  return (node["loc"] as { start: { line: number } }).start.line;
}

/** What a field access names: `x.name` or `x["name"]`; the name is undefined where it is computed. */
export function accessOf(node: LuaNode): { base: LuaNode; name: string | undefined } | undefined {
  if (node.type === "MemberExpression")
    return { base: node["base"] as LuaNode, name: (node["identifier"] as LuaNode)["name"] as string };
  if (node.type === "IndexExpression")
    return { base: node["base"] as LuaNode, name: literalOf(node["index"] as LuaNode) };
  return undefined;
}

/**
 * Reads a chunk as TypeScriptToLua makes it.
 *
 * @throws Error if it is no bundle of modules
 */
export function readProgram(code: string): Program {
  const chunk = luaparse.parse(code, {
    luaVersion: "5.1",
    locations: true,
    comments: false,
    encodingMode: "x-user-defined",
  }) as unknown as LuaNode;
  const scopes = new Scopes();
  scopes.block(chunk["body"] as LuaNode[], chunk, undefined);
  const modules = new Map<string, Module>();
  for (const field of moduleFields(chunk)) {
    const body = field["value"] as LuaNode;
    const name = literalOf(field["key"] as LuaNode)!;
    modules.set(name, { name, body, exports: new Map() });
  }
  if (modules.size === 0) throw new Error("the chunk has no modules");
  for (const module of modules.values()) collectExports(module, scopes);
  return newProgram(modules, scopes);
}

function moduleFields(chunk: LuaNode): LuaNode[] {
  for (const node of walk(chunk)) {
    if (node.type !== "AssignmentStatement") continue;
    const [target] = node["variables"] as LuaNode[];
    const [value] = node["init"] as LuaNode[];
    if (target?.["name"] === "____modules" && value?.type === "TableConstructorExpression")
      return value["fields"] as LuaNode[];
  }
  return [];
}

function collectExports({ body, exports }: Module, scopes: Scopes): void {
  for (const variable of scopes.variables) {
    if (variable.owner !== body || variable.name !== "____exports") continue;
    for (const { name, value } of variable.fields) {
      if (name === undefined || value === null) throw new Error("an export has no name that is known");
      exports.set(name, [...(exports.get(name) ?? []), value]);
    }
  }
}

type Scope = Map<string, Variable>;

/** Ties identifiers to variables, and variables to what is assigned to them, by Lua's rules of scope. */
class Scopes {
  readonly variables: Variable[] = [];
  readonly variableOf = new Map<LuaNode, Variable>();
  readonly ownerOf = new Map<LuaNode, LuaNode>();

  block(
    statements: LuaNode[],
    owner: LuaNode,
    outer: readonly Scope[] | undefined,
    inner: Scope = new Map(),
  ): readonly Scope[] {
    const scopes = [inner, ...(outer ?? [])];
    for (const statement of statements) this.#statement(statement, owner, scopes);
    return scopes;
  }

  #declare(node: LuaNode, owner: LuaNode, scope: Scope, values: (LuaNode | null)[]): Variable {
    const variable: Variable = { name: node["name"] as string, owner, values, fields: [] };
    this.variables.push(variable);
    this.variableOf.set(node, variable);
    scope.set(variable.name, variable);
    return variable;
  }

  #statement(node: LuaNode, owner: LuaNode, scopes: readonly Scope[]): void {
    const scope = scopes[0]!;
    const body = node["body"] as LuaNode[];
    this.ownerOf.set(node, owner);
    switch (node.type) {
      case "LocalStatement": {
        const init = node["init"] as LuaNode[];
        for (const each of init) this.#expression(each, owner, scopes);
        for (const [at, each] of (node["variables"] as LuaNode[]).entries())
          this.#declare(each, owner, scope, init.length === 0 ? [] : [valueAt(init, at)]);
        return;
      }
      case "AssignmentStatement": {
        const init = node["init"] as LuaNode[];
        for (const each of init) this.#expression(each, owner, scopes);
        for (const [at, each] of (node["variables"] as LuaNode[]).entries())
          this.#assign(each, valueAt(init, at), owner, scopes);
        return;
      }
      case "FunctionDeclaration": {
        const identifier = node["identifier"] as LuaNode;
        if (node["isLocal"]) this.#declare(identifier, owner, scope, [node]);
        else this.#assign(identifier, node, owner, scopes);
        return this.#function(node, scopes);
      }
      case "ForNumericStatement": {
        for (const part of ["start", "end", "step"])
          if (node[part]) this.#expression(node[part] as LuaNode, owner, scopes);
        const inner: Scope = new Map();
        this.#declare(node["variable"] as LuaNode, owner, inner, [null]);
        this.block(body, owner, scopes, inner);
        return;
      }
      case "ForGenericStatement": {
        for (const each of node["iterators"] as LuaNode[]) this.#expression(each, owner, scopes);
        const inner: Scope = new Map();
        for (const each of node["variables"] as LuaNode[]) this.#declare(each, owner, inner, [null]);
        this.block(body, owner, scopes, inner);
        return;
      }
      case "RepeatStatement":
        this.#expression(node["condition"] as LuaNode, owner, this.block(body, owner, scopes));
        return;
      case "IfStatement":
        for (const clause of node["clauses"] as LuaNode[]) {
          if (clause["condition"]) this.#expression(clause["condition"] as LuaNode, owner, scopes);
          this.block(clause["body"] as LuaNode[], owner, scopes);
        }
        return;
      case "WhileStatement":
        this.#expression(node["condition"] as LuaNode, owner, scopes);
        this.block(body, owner, scopes);
        return;
      case "DoStatement":
        this.block(body, owner, scopes);
        return;
      default:
        for (const child of childrenOf(node)) this.#expression(child, owner, scopes);
    }
  }

  #assign(target: LuaNode, value: LuaNode | null, owner: LuaNode, scopes: readonly Scope[]): void {
    this.#expression(target, owner, scopes);
    const access = accessOf(target);
    const variable = this.variableOf.get(access ? access.base : target);
    if (access) variable?.fields.push({ name: access.name, value });
    else variable?.values.push(value);
  }

  #function(node: LuaNode, scopes: readonly Scope[]): void {
    const inner: Scope = new Map();
    for (const [at, each] of (node["parameters"] as LuaNode[]).entries()) {
      if (each.type === "Identifier") this.#declare(each, node, inner, []).parameter = at;
    }
    this.block(node["body"] as LuaNode[], node, scopes, inner);
  }

  #expression(node: LuaNode, owner: LuaNode, scopes: readonly Scope[]): void {
    this.ownerOf.set(node, owner);
    if (node.type === "FunctionDeclaration") return this.#function(node, scopes);
    if (node.type === "Identifier") {
      const found = scopes.find((scope) => scope.has(node["name"] as string))?.get(node["name"] as string);
      if (found) this.variableOf.set(node, found);
      return;
    }
    if (node.type === "MemberExpression") return this.#expression(node["base"] as LuaNode, owner, scopes);
    if (node.type === "TableKeyString") return this.#expression(node["value"] as LuaNode, owner, scopes);
    for (const child of childrenOf(node)) this.#expression(child, owner, scopes);
  }
}

/** The expression whose first value a variable gets; null where it is a later value of a call. */
function valueAt(init: readonly LuaNode[], at: number): LuaNode | null {
  return init[at] ?? null;
}

function newProgram(modules: Map<string, Module>, scopes: Scopes): Program {
  const moduleOfBody = new Map([...modules.values()].map((module) => [module.body, module]));

  /** The module whose table of exports a variable is. */
  const moduleOf = (variable: Variable): Module | undefined => {
    if (variable.name === "____exports") return moduleOfBody.get(variable.owner);
    const [value] = variable.values;
    if (
      variable.values.length !== 1 ||
      value?.type !== "CallExpression" ||
      (value["base"] as LuaNode)["name"] !== "require"
    )
      return undefined;
    return modules.get(literalOf((value["arguments"] as LuaNode[])[0]) ?? "");
  };

  const targetOf = (node: LuaNode): Target | undefined => {
    const access = accessOf(node);
    if (access) {
      const variable = scopes.variableOf.get(access.base);
      const module = variable && moduleOf(variable);
      return module && access.name !== undefined ? { kind: "export", module, name: access.name } : undefined;
    }
    const variable = scopes.variableOf.get(node);
    return variable && moduleOfBody.has(variable.owner) ? { kind: "variable", variable } : undefined;
  };

  const targetsOf = (node: LuaNode): Target[] => {
    const own = targetOf(node);
    if (own?.kind === "export") return [own];
    if (own?.kind === "variable") {
      const module = moduleOf(own.variable);
      // A module that is handed on whole may have any of its exports used.
      return module ? [...module.exports.keys()].map((name) => ({ kind: "export", module, name })) : [own];
    }
    return [...childrenOf(node)].flatMap(targetsOf);
  };

  const functionsOf = (node: LuaNode, seen = new Set<LuaNode>()): (LuaNode | undefined)[] => {
    if (seen.has(node)) return [];
    seen.add(node);
    if (node.type === "FunctionDeclaration") return [node];
    const target = targetOf(node);
    if (target?.kind === "export")
      return (target.module.exports.get(target.name) ?? [undefined]).flatMap((each) =>
        each ? functionsOf(each, seen) : [undefined],
      );
    const variable = scopes.variableOf.get(node);
    if (!variable || variable.parameter !== undefined) return [undefined];
    return variable.values.flatMap((each) => (each ? functionsOf(each, seen) : [undefined]));
  };

  return {
    modules,
    variableOf: (identifier) => scopes.variableOf.get(identifier),
    targetOf,
    targetsOf,
    functionsOf: (expression) => functionsOf(expression),
    ownerOf: (node) => scopes.ownerOf.get(node)!,
  };
}
