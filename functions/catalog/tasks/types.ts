/** Types of tasks: what each may do and how often, and its hooks. A type that nobody has defined is refused. */
import { command, integer, integerReply, list, nullable, record, text, textReply } from "../../runtime/declare";
import { fail, quote } from "../../runtime/errors";
import { newMemory, recall, remember } from "../../runtime/remembered";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../runtime/time";
import { onKey } from "../../runtime/types";
import * as names from "./names";

const MAX_BACKOFF_MS = HOUR_MS;
const MAX_LEASE_MS = DAY_MS;
const MAX_TYPES = 1000;

/** Hooks of one kind that a type may have. */
const MAX_HOOKS = 10;

/** What an operator can set, as it is stored: hooks are types in order, with commas between them. */
interface Settings {
  pre: string;
  post: string;
  attempts: number;
  backoff: number;
  lease: number;
  keep: number;
}

/** A type as a call works with it. */
export interface TaskType {
  name: string;
  settings: Settings;
  /** Types of the tasks that run before and after each of this type, in order. */
  pre: string[];
  post: string[];
}

/** What a queue, a type and a given id may be made of: they stand in keys and in JSON as they are. */
export const PLAIN = "^[%w._/@+=%%~,#-]+$";

/** Types and queues: commas separate them in lists. */
const NAME = "^[%w._/@+=%%~#-]+$";

const TYPE = { name: "type", type: text(1, 128), doc: "name of the type" } as const;

/** An option that says how long a lease is. */
export const LEASE = integer(1, MAX_LEASE_MS);

/** BADARG unless a name of a type or queue is made of what it may be. */
export function requireName(argument: string, name: string): void {
  const [plain] = string.find(name, NAME);
  if (plain === undefined) {
    fail("BADARG", `${argument} must be made of letters, digits and any of . _ - / @ + = % ~ #, got ${quote(name)}`);
  }
}

function defaults(): Settings {
  return { pre: "", post: "", attempts: 3, backoff: 30000, lease: MINUTE_MS, keep: DAY_MS };
}

function split(hooks: string): string[] {
  const found: string[] = [];
  for (const [hook] of string.gmatch(hooks, "[^,]+")) found.push(hook!);
  return found;
}

const remembered = newMemory<TaskType>(MAX_TYPES);

/** A type by its name and its stored settings. */
function typeOf(name: string, stored: string): TaskType {
  const known = recall(remembered, name, stored);
  if (known !== undefined) return known;
  const settings = defaults() as unknown as Record<string, unknown>;
  for (const [option, value] of pairs(cjson.decode(stored) as Record<string, unknown>)) settings[option] = value;
  const { pre, post } = settings as unknown as Settings;
  const taskType = { name, settings: settings as unknown as Settings, pre: split(pre), post: split(post) };
  remember(remembered, name, stored, taskType);
  return taskType;
}

/** The type of a task to be enqueued. NOTFOUND, naming it, if nobody has defined it. */
export function requireTaskType(name: string): TaskType {
  const stored = onKey("HGET", names.types(), name);
  if (stored === false) fail("NOTFOUND", `there is no task type ${quote(name)}; define_task makes one`);
  return typeOf(name, stored);
}

/** The type of a task that is there; the defaults if somebody has deleted it. */
export function readTaskType(name: string): TaskType {
  const stored = onKey("HGET", names.types(), name);
  return typeOf(name, stored === false ? "{}" : stored);
}

/** Hooks must be defined themselves. */
function requireHooks(option: string, given: string | undefined, own: string): void {
  if (given === undefined) return;
  const hooks = split(given);
  if (hooks.length > MAX_HOOKS) fail("LIMIT", `at most ${MAX_HOOKS} types in ${option}, got ${hooks.length}`);
  for (const hook of hooks) {
    requireName(option, hook);
    if (hook !== own && onKey("HGET", names.types(), hook) === false) {
      fail("BADCONFIG", `${option} names the task type ${quote(hook)}, which is not defined`);
    }
  }
}

export const defineTask = command(
  {
    name: "define_task",
    summary: "Makes a type of tasks, or sets options of one; those not named stay as they are",
    doc:
      "PRE and POST name types, in order, with commas between them; an empty text takes the hooks away. For each " +
      "task of the type its PRE tasks run before it, one after another: the task is held until the last of them " +
      "has finished, and is dead if one of them dies or is cancelled. Its POST tasks run once it has finished, " +
      "children included, one after another as long as each finishes. A hook is a task in the same queue with the " +
      'same priority and the payload {"type", "hook": "pre" or "post", "task": id, "payload": that of ' +
      'the task, "result": of the task, for POST}; it may have children, but its own type\'s hooks do not run for ' +
      "it. Changes apply from the next step of each task on: ATTEMPTS and BACKOFF from its next failure, LEASE " +
      "from its next claim, PRE from the next enqueue, POST and KEEP from its end.",
    role: "admin",
    flags: [],
    positional: [TYPE],
    options: [
      {
        name: "PRE",
        type: text(0, 1024),
        doc: "types of the tasks that run before each of this type, `a,b`; none to begin with",
      },
      {
        name: "POST",
        type: text(0, 1024),
        doc: "types of the tasks that run after each of this type, `a,b`; none to begin with",
      },
      {
        name: "ATTEMPTS",
        type: integer(1, 1000),
        doc: "how often a task is given out before it is dead; 3 to begin with",
      },
      {
        name: "BACKOFF",
        type: integer(0, MAX_BACKOFF_MS),
        unit: "ms",
        doc: "ms to wait after the first failure, doubled by each, an hour at most; 30 s to begin with",
      },
      {
        name: "LEASE",
        type: LEASE,
        unit: "ms",
        doc: "ms that a claimed task is out before it comes back; a minute to begin with",
      },
      {
        name: "KEEP",
        type: integer(0, 365 * DAY_MS),
        unit: "ms",
        doc:
          "ms that a task is kept once it has finished or was cancelled; a day to begin with. A queue keeps the " +
          "last 10,000 of each",
      },
    ],
    reply: integerReply,
    errors: ["BADARG", "BADCONFIG", "LIMIT", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
    causes: { LIMIT: "more types than there may be, or too many hooks" },
  },
  (args) => {
    const given = args as unknown as Record<string, unknown>;
    requireName("type", args.type);
    requireHooks("PRE", args.pre, args.type);
    requireHooks("POST", args.post, args.type);
    const stored = onKey("HGET", names.types(), args.type);
    if (stored === false && onKey("HLEN", names.types()) >= MAX_TYPES)
      fail("LIMIT", `there are ${MAX_TYPES} task types already`);
    const settings = (stored === false ? {} : cjson.decode(stored)) as Record<string, unknown>;
    for (const [option] of pairs(defaults() as unknown as Record<string, unknown>)) {
      if (given[option] !== undefined) settings[option] = given[option];
    }
    redis.call("HSET", names.types(), args.type, cjson.encode(settings));
    return 1;
  },
);

export const getTaskType = command(
  {
    name: "get_task_type",
    summary: "The settings of a type of tasks that are in force, defaults included; nil if it is not defined",
    role: "reader",
    flags: ["no-writes"],
    positional: [TYPE],
    options: [],
    reply: nullable(
      record([
        { name: "type", type: textReply, doc: "name" },
        { name: "pre", type: textReply, doc: "types of the tasks that run before, with commas between them" },
        { name: "post", type: textReply, doc: "types of the tasks that run after" },
        { name: "attempts", type: integerReply, doc: "how often a task is given out before it is dead" },
        {
          name: "backoff",
          type: integerReply,
          unit: "ms",
          doc: "ms to wait after the first failure, doubled by each, an hour at most",
        },
        { name: "lease", type: integerReply, unit: "ms", doc: "ms that a claimed task is out before it comes back" },
        {
          name: "keep",
          type: integerReply,
          unit: "ms",
          doc: "ms that a task is kept once it has finished or was cancelled",
        },
      ]),
    ),
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => {
    const stored = onKey("HGET", names.types(), args.type);
    if (stored === false) return undefined;
    const { pre, post, attempts, backoff, lease, keep } = typeOf(args.type, stored).settings;
    return { type: args.type, pre, post, attempts, backoff, lease, keep };
  },
);

export const listTaskTypes = command(
  {
    name: "list_task_types",
    summary: "Names of all types of tasks",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [],
    reply: list(textReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "names" },
  },
  () => {
    const found: string[] = [];
    const flat = onKey("HGETALL", names.types());
    for (const at of $range(1, flat.length, 2)) found.push(flat[at - 1]!);
    table.sort(found);
    return found;
  },
);
