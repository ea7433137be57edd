/**
 * The rights that each function of a library needs: which commands it may reach, and on which keys, found in the compiled
 * code.
 *
 * Whatever the code of a function mentions is taken to run: what it calls, what it hands on, and what that mentions. So
 * the answer holds at least what can run. A command whose name cannot be known fails the build.
 */
import { takesOnce, type Declaration } from "../../../functions/runtime/declare";
import type { FunctionRights, KeyRight } from "../../../host/deploy/acl/rights";
import { changesOf, CONTAINERS, HARMLESS } from "./commands";
import { Globs } from "./globs";
import { keyPattern, type KeyPattern } from "./key-patterns";
import {
  accessOf,
  lineOf,
  walk,
  type LuaNode,
  type Module,
  type Program,
  type Target,
  type Variable,
} from "./lua-program";

/** What builds names of keys by the one scheme; each of its answers is a name, or the beginning of one. */
const BUILDERS = { module: "functions.runtime.keys", functions: ["key", "family", "member", "prefix"] };
/** The modules in which libraries build the names of their keys. */
const NAMES = /\.names$/;

/** What a piece of code does and mentions by itself. */
interface Findings {
  targets: Target[];
  commands: string[];
  names: KeyPattern[];
}

/** The functions that run a command which they are passed, and the place of that parameter. */
type Wrappers = Map<LuaNode, Set<number>>;

class Analysis {
  readonly problems = new Set<string>();
  readonly #globs: Globs;
  readonly #wrappers: Wrappers = new Map();
  readonly #found = new Map<LuaNode, Findings>();
  readonly #namers = new Map<LuaNode, KeyPattern[]>();

  constructor(private readonly program: Program) {
    this.#globs = new Globs(program);
    this.#findWrappers();
    for (const module of program.modules.values()) if (NAMES.test(module.name)) this.#findNamers(module);
  }

  /** What code may do, wherever it leads. */
  reach(root: LuaNode): { commands: string[]; names: KeyPattern[] } {
    const commands = new Set<string>();
    const names = new Map<string, KeyPattern>();
    const seen = new Set<unknown>();
    const waiting = [root];
    for (let node = waiting.pop(); node; node = waiting.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      const found = this.#findingsOf(node);
      for (const each of found.commands) commands.add(each);
      for (const each of found.names) names.set(each.pattern, each);
      for (const target of found.targets) waiting.push(...contentOf(target));
    }
    return { commands: [...commands].sort(), names: [...names.values()] };
  }

  #findingsOf(node: LuaNode): Findings {
    const known = this.#found.get(node);
    if (known) return known;
    const calls = [...walk(node)].filter((each) => each.type === "CallExpression");
    const findings: Findings = {
      targets: this.program.targetsOf(node),
      commands: calls.flatMap((each) => this.#commandsOf(each)),
      names: [...(this.#namers.get(node) ?? []), ...calls.flatMap((each) => this.#namesOf(each))],
    };
    this.#found.set(node, findings);
    return findings;
  }

  /** The functions of a module of names answer names, but for those whose answer is no text. */
  #findNamers(module: Module): void {
    for (const value of [...module.exports.values()].flat()) {
      for (const body of this.program.functionsOf(value)) {
        if (body) this.#namers.set(body, patternsOf(this.#globs.answeredBy(body)));
      }
    }
  }

  #namesOf(call: LuaNode): KeyPattern[] {
    const target = this.program.targetOf(call["base"] as LuaNode);
    const isBuilder = this.#aliased(target).some(
      ({ module, name }) => module.name === BUILDERS.module && BUILDERS.functions.includes(name),
    );
    return isBuilder ? patternsOf(this.#globs.of(call)) : [];
  }

  /** The exports that a name stands for. */
  #aliased(target: Target | undefined): { module: Module; name: string }[] {
    if (target === undefined) return [];
    if (target.kind === "export") return [target];
    return target.variable.values.flatMap((value) =>
      value && accessOf(value) ? this.#aliased(this.program.targetOf(value)) : [],
    );
  }

  /** The commands that a call runs by itself or through a wrapper. */
  #commandsOf(call: LuaNode): string[] {
    return this.#commandPlaces(call).flatMap((at) => {
      const args = call["arguments"] as LuaNode[];
      const expression = args[at];
      if (expression && this.#parameterOf(expression)) return [];
      const names = expression ? [...this.#globs.of(expression)] : [];
      if (names.length === 0 || names.some((name) => name.includes("*"))) {
        this.#problem(call, "runs a command whose name is not known at build time");
        return [];
      }
      return names.flatMap((name) => this.#withSubcommand(name.toLowerCase(), args[at + 1], call));
    });
  }

  #withSubcommand(command: string, next: LuaNode | undefined, call: LuaNode): string[] {
    const subcommands = CONTAINERS.has(command) ? [...(next ? this.#globs.of(next) : [ANYTHING])] : [];
    if (subcommands.some((each) => each.includes(ANYTHING)))
      this.#problem(call, `runs ${command} with a subcommand that is not known at build time`);
    const whole = CONTAINERS.has(command) ? subcommands.map((each) => `${command}|${each.toLowerCase()}`) : [command];
    for (const each of whole) {
      if (changesOf(each) === undefined)
        this.#problem(
          call,
          `runs ${each}, which scripts/build/rights/commands.ts does not know: say there what it changes`,
        );
    }
    return whole;
  }

  /** At which places of its arguments a call takes a command to run. */
  #commandPlaces(call: LuaNode): number[] {
    const base = call["base"] as LuaNode;
    if (this.#isRedisCall(base)) return [0];
    const args = call["arguments"] as LuaNode[];
    // pcall(onKey, "GET", name)
    const isProtected = base.type === "Identifier" && base["name"] === "pcall" && args[0] !== undefined;
    const callees = this.program.functionsOf(isProtected ? args[0]! : base);
    const shift = isProtected ? 1 : 0;
    return callees.flatMap((body) => [...(body ? (this.#wrappers.get(body) ?? []) : [])].map((at) => at + shift));
  }

  #isRedisCall(base: LuaNode, seen: readonly Variable[] = []): boolean {
    const access = accessOf(base);
    if (access) return isRedis(access.base) && RUNNERS.has(`redis_${access.name}`);
    const variable = this.program.variableOf(base);
    if (variable === undefined) return base.type === "Identifier" && RUNNERS.has(base["name"] as string);
    if (seen.includes(variable)) return false;
    // local pass = redis.pcall
    return variable.values.some(
      (each) =>
        each !== null &&
        (each.type === "Identifier" || accessOf(each) !== undefined) &&
        this.#isRedisCall(each, [...seen, variable]),
    );
  }

  /** The parameter that an expression is, if its function is one that a call by name can reach. */
  #parameterOf(expression: LuaNode): Variable | undefined {
    const variable = expression.type === "Identifier" ? this.program.variableOf(expression) : undefined;
    return variable?.parameter !== undefined && variable.values.length === 0 ? variable : undefined;
  }

  /** Again and again, because a wrapper may be wrapped. */
  #findWrappers(): void {
    const calls = [...this.program.modules.values()].flatMap(({ body }) =>
      [...walk(body)].filter((each) => each.type === "CallExpression"),
    );
    for (let grown = true; grown;) {
      grown = false;
      for (const call of calls) {
        for (const at of this.#commandPlaces(call)) {
          const expression = (call["arguments"] as LuaNode[])[at];
          const parameter = expression && this.#parameterOf(expression);
          if (!parameter) continue;
          const places = this.#wrappers.get(parameter.owner) ?? new Set<number>();
          grown ||= !places.has(parameter.parameter!);
          this.#wrappers.set(parameter.owner, places.add(parameter.parameter!));
        }
      }
    }
    for (const { body } of this.program.modules.values()) this.#refuseEscapes(body, undefined);
  }

  /** A wrapper, or redis.call itself, that is handed on runs commands that nobody can follow. */
  #refuseEscapes(node: LuaNode, parent: LuaNode | undefined): void {
    const isCallee =
      parent?.type === "CallExpression" && (parent["base"] === node || this.#isProtectedCallee(parent, node));
    const isName = node.type === "Identifier" || accessOf(node) !== undefined;
    if (isName && !isCallee) {
      const isRunner = this.#isRedisCall(node);
      const runsCommands = isRunner || this.program.functionsOf(node).some((body) => body && this.#wrappers.has(body));
      if (runsCommands && !isNaming(parent, isRunner))
        this.#problem(node, "hands on a function that runs any command; call it by its name");
    }
    this.#refuseUnknown(node, parent);
    const children = node.type === "MemberExpression" ? [node["base"]] : Object.values(node).flat();
    for (const child of children) {
      if (typeof child === "object" && child !== null && "type" in child) this.#refuseEscapes(child as LuaNode, node);
    }
  }

  /** What of `redis` nobody here knows might run commands, and none would be found. */
  #refuseUnknown(node: LuaNode, parent: LuaNode | undefined): void {
    if (
      node.type !== "Identifier" ||
      this.program.variableOf(node) !== undefined ||
      !/^redis/.test(node["name"] as string)
    )
      return;
    const access = isRedis(node) && parent ? accessOf(parent) : undefined;
    const name = access?.base === node ? `redis_${access.name}` : (node["name"] as string);
    if (!RUNNERS.has(name) && !HARMLESS_MEMBERS.has(name))
      this.#problem(node, `reads ${name.replace("_", ".")}, and it is not known whether that runs commands`);
  }

  #isProtectedCallee(call: LuaNode, node: LuaNode): boolean {
    const base = call["base"] as LuaNode;
    return base.type === "Identifier" && base["name"] === "pcall" && (call["arguments"] as LuaNode[])[0] === node;
  }

  #problem(node: LuaNode, text: string): void {
    this.problems.add(`line ${lineOf(node)} of the compiled chunk ${text}`);
  }
}

const ANYTHING = "*";

/** What runs commands, as the build may have made locals of it, and what of `redis` does not. */
const RUNNERS = new Set(["redis_call", "redis_pcall"]);
const HARMLESS_MEMBERS = new Set(["redis_sha1hex", "redis_log", "redis_LOG_WARNING"]);

/** Whether a function is only given a name by which calls of it are followed: a local's, and that of an export. */
function isNaming(parent: LuaNode | undefined, isRunner: boolean): boolean {
  if (parent?.type === "LocalStatement") return true;
  if (isRunner || parent === undefined) return false;
  const targets = parent.type === "AssignmentStatement" ? (parent["variables"] as LuaNode[]) : [];
  return (
    parent.type === "FunctionDeclaration" ||
    (targets.length > 0 &&
      targets.every((each) => each.type === "Identifier" || accessOf(each)?.base["name"] === "____exports"))
  );
}

function isRedis(node: LuaNode): boolean {
  return node.type === "Identifier" && node["name"] === "redis";
}

/** All that a target may hold. */
function contentOf(target: Target): LuaNode[] {
  if (target.kind === "export") return target.module.exports.get(target.name) ?? [];
  const { values, fields } = target.variable;
  return [...values, ...fields.map(({ value }) => value)].filter((each) => each !== null);
}

function patternsOf(globs: Iterable<string>): KeyPattern[] {
  return [...globs].flatMap((each) => keyPattern(each) ?? []);
}

/** What commands may do to keys of a type; of keys whose type is not known, whatever they may do to any. */
function accessTo(type: KeyPattern["type"], commands: readonly string[]): "read" | "write" {
  const isChanged = commands.some((command) => {
    const changes = changesOf(command) ?? "none";
    return changes === "any" || (changes !== "none" && (type === undefined || changes.includes(type)));
  });
  return isChanged ? "write" : "read";
}

function rightsOf({ commands, names }: { commands: string[]; names: KeyPattern[] }): FunctionRights {
  const named = names.filter(({ pattern }) => pattern !== ANYTHING);
  const keys = named.map(({ pattern, type }): KeyRight => ({ pattern, access: accessTo(type, commands) }));
  keys.sort((a, b) => (a.pattern < b.pattern ? -1 : 1));
  return { commands, keys, userKeys: named.length < names.length ? accessTo(undefined, commands) : null };
}

/** What runs before every routed call, and what surrounds a call that may be made once. */
const GUARD = { module: "functions.runtime.slot", name: "requireStableSlot" };
const ONCE = { module: "functions.runtime.once", name: "answerOnce" };

function withRights(own: FunctionRights, more: FunctionRights): FunctionRights {
  const keys = [...own.keys, ...more.keys].sort((a, b) => (a.pattern < b.pattern ? -1 : 1));
  return { ...own, commands: [...new Set([...own.commands, ...more.commands])].sort(), keys };
}

/** What the rights of a function say against its declaration. */
function contradictions({ name, role, flags }: Declaration, { commands, keys }: FunctionRights): string[] {
  const changing = commands.filter((command) => changesOf(command) !== "none");
  const problems: string[] = [];
  if (commands.length === 0 && keys.length > 0)
    problems.push(`${name}: builds names of keys, and no command was found that it runs on them`);
  const harmful = changing.filter((command) => !HARMLESS.has(command));
  if (role === "reader" && harmful.length > 0)
    problems.push(`${name}: a reader changes no data, and this may run ${harmful.join(", ")}`);
  if (flags.includes("no-writes") && changing.length > 0)
    problems.push(`${name}: is declared no-writes, and may run ${changing.join(", ")}`);
  return problems;
}

/**
 * The rights of each function of a library, in the order of its declarations.
 *
 * @param program the compiled library
 * @param library its name; `functions/<library>/library.ts` exports its commands in the order of `declarations`
 * @throws Error naming what cannot be known at build time, and functions that may do what their declaration denies
 */
export function findRights(program: Program, library: string, declarations: readonly Declaration[]): FunctionRights[] {
  const face = program.modules.get(`functions.${library}.library`);
  const list = face?.exports.get("commands")?.[0];
  const roots =
    list?.type === "TableConstructorExpression"
      ? (list["fields"] as LuaNode[]).map((field) => field["value"] as LuaNode)
      : [];
  if (roots.length !== declarations.length) {
    throw new Error(
      `${library}: its library.ts must list its commands one by one; ${roots.length} of ${declarations.length} were found`,
    );
  }
  const analysis = new Analysis(program);
  const rightsOfExport = ({ module, name }: typeof GUARD): FunctionRights[] =>
    (program.modules.get(module)?.exports.get(name) ?? []).map((each) => rightsOf(analysis.reach(each)));
  const guard = rightsOfExport(GUARD);
  const once = rightsOfExport(ONCE);
  const own = roots.map((root) => rightsOf(analysis.reach(root)));
  const found = own.map((each, at) =>
    [...guard, ...(takesOnce(declarations[at]!) ? once : [])].reduce(withRights, each),
  );
  const problems = [...analysis.problems, ...declarations.flatMap((each, at) => contradictions(each, own[at]!))];
  if (problems.length > 0)
    throw new Error(`${library}: rights\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  return found;
}
