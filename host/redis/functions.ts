/** The functions of all libraries as typed methods: arguments to the wire, replies and errors from it. */
import {
  SPECIFICATIONS,
  type FunctionSpecification,
  type HotpathFunctions,
  type ReplySpecification,
} from "../contract";
import { performance } from "node:perf_hooks";
import { backoffMs } from "../runtime/backoff";
import { HotpathError, ReplyError, SlotMovingError } from "../runtime/errors";
import { pause } from "../runtime/wait";
import type { Argument } from "./wire";

/** Sends one command; see `Connection.send`. */
export type Send = (args: Argument[], options: { routingKey?: string; asBuffers?: boolean }) => Promise<unknown>;

export interface FunctionsOptions {
  /** Carries the hash tag of the partition: `{rtl}`. Without it, no key is passed and names have no braces. */
  routingKey?: string;
  /**
   * Loads a library that the server does not have (a failover to an empty replica, a new shard). It is asked at most
   * once a call, which is then made again: a function that was not found has not run.
   */
  heal?: (library: string) => Promise<void>;
}

type Values = Record<string, unknown>;

/** How long a call is made again while its slot is being moved: a slot with few keys has moved by then. */
const MOVING_PATIENCE_MS = 2000;

/** Its callers have several under way, which count in their order only: they try again by themselves. */
const IN_ORDER = "import_events";

/**
 * The typed client.
 *
 * Functions that only read are called with FCALL_RO, on primaries too: it works on replicas, and a user may be allowed
 * FCALL_RO alone.
 *
 * A call whose slot is being moved has done nothing, and is made again for two seconds. It fails with a SlotMovingError then.
 *
 * @param send how commands are sent; its ReplyErrors become HotpathErrors, other errors pass as they are
 */
export function createFunctions(send: Send, options: FunctionsOptions = {}): HotpathFunctions {
  const methods: Record<string, (args?: Values) => Promise<unknown>> = {};
  for (const [name, specification] of Object.entries(SPECIFICATIONS)) {
    methods[name] = (args = {}) => call(send, options, specification, args);
  }
  return methods as unknown as HotpathFunctions;
}

async function call(
  send: Send,
  options: FunctionsOptions,
  spec: FunctionSpecification,
  args: Values,
): Promise<unknown> {
  const { routingKey, heal } = options;
  const command = encodeCall(spec, args, routingKey);
  const isBytes = holdsBytes(spec.reply);
  const sent = { ...(routingKey !== undefined && { routingKey }), ...(isBytes && { asBuffers: true }) };
  try {
    return decodeReply(spec.reply, await healing(() => sending(() => send(command, sent), spec), spec, heal));
  } catch (error) {
    if (error instanceof ReplyError) throw new HotpathError(error.code, error.sentence, spec.name);
    throw error;
  }
}

/** Sends until the slot has moved; see {@link createFunctions}. */
async function sending(attempt: () => Promise<unknown>, spec: FunctionSpecification): Promise<unknown> {
  const untilMs = performance.now() + (spec.name === IN_ORDER ? 0 : MOVING_PATIENCE_MS);
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      const moving = asMoving(error);
      if (!moving) throw error;
      if (performance.now() >= untilMs) throw moving;
    }
    await pause(backoffMs(failures));
  }
}

/** The error, if it says that a slot is being moved, whoever sent the command. */
function asMoving(error: unknown): SlotMovingError | undefined {
  if (error instanceof SlotMovingError) return error;
  return error instanceof ReplyError && error.code === "TRYAGAIN"
    ? new SlotMovingError(error.message, error)
    : undefined;
}

async function healing(
  attempt: () => Promise<unknown>,
  spec: FunctionSpecification,
  heal: FunctionsOptions["heal"],
): Promise<unknown> {
  try {
    return await attempt();
  } catch (error) {
    if (!heal || !isMissingFunction(error)) throw error;
  }
  await heal(spec.library);
  return attempt();
}

/** Whether a call failed because its server has no such function: no library, or one of another version. */
export function isMissingFunction(error: unknown): boolean {
  return (error instanceof HotpathError || error instanceof ReplyError) && /function not found/i.test(error.message);
}

/** Positional arguments, then the JSONs, then the options that are given: as the function binds them. */
function encodeCall(spec: FunctionSpecification, args: Values, routingKey: string | undefined): Argument[] {
  const known = new Set([
    ...spec.positional,
    ...(spec.rest ? [spec.rest] : []),
    ...spec.options.map(([, property]) => property),
  ]);
  for (const property of Object.keys(args)) {
    if (!known.has(property)) throw new TypeError(`${spec.name} has no argument '${property}'`);
  }
  const command: Argument[] = [spec.readOnly ? "FCALL_RO" : "FCALL", spec.name, routingKey === undefined ? "0" : "1"];
  if (routingKey !== undefined) command.push(routingKey);
  for (const property of spec.positional) command.push(encodeValue(spec, property, args[property]));
  for (const each of (spec.rest ? (args[spec.rest] as unknown[] | undefined) : undefined) ?? []) {
    command.push(encodeValue(spec, spec.rest!, each));
  }
  for (const [keyword, property, count] of spec.options) {
    if (args[property] !== undefined) command.push(keyword, ...encodeOption(spec, property, args[property], count));
  }
  return command;
}

function encodeOption(spec: FunctionSpecification, property: string, value: unknown, count: number): Argument[] {
  if (count === 1) return [encodeValue(spec, property, value)];
  if (Array.isArray(value) && value.length === count) return value.map((each) => encodeValue(spec, property, each));
  throw new TypeError(`${spec.name}: ${property} must be an array of ${count} values, got ${String(value)}`);
}

function encodeValue(spec: FunctionSpecification, property: string, value: unknown): Argument {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new TypeError(`${spec.name}: ${property} must be text or a number, got ${String(value)}`);
}

/** Whether a reply has anything in it that is no text. */
function holdsBytes({ kind, of, items = [] }: ReplySpecification): boolean {
  return kind === "bytes" || (of !== undefined && holdsBytes(of)) || items.some(([, , type]) => holdsBytes(type));
}

function decodeReply(spec: ReplySpecification, reply: unknown): unknown {
  switch (spec.kind) {
    case "nullable":
      return reply === null || reply === undefined ? null : decodeReply(spec.of!, reply);
    case "list":
      return (reply as unknown[]).map((each) => decodeReply(spec.of!, each));
    case "tuple":
      return decodeTuple(spec, reply as unknown[]);
    case "record":
      return decodeRecord(spec, reply as unknown[]);
    case "bytes":
      return reply;
    default:
      // Text, where others of the reply are bytes.
      return Buffer.isBuffer(reply) ? reply.toString() : reply;
  }
}

/** By place; what comes after the last place is there only if the reply may have any length. */
function decodeTuple({ items = [], of }: ReplySpecification, reply: unknown[]): unknown[] {
  const rest = of ? reply.slice(items.length).map((each) => decodeReply(of, each)) : [];
  return [...items.map(([, , type], at) => decodeReply(type, reply[at])), ...rest];
}

/** By name and not by place: a server may hold a newer library, whose records have more fields. */
function decodeRecord(spec: ReplySpecification, flat: unknown[]): Values {
  const fields = new Map<unknown, unknown>();
  for (let at = 0; at + 1 < flat.length; at += 2) fields.set(String(flat[at]), flat[at + 1]);
  return Object.fromEntries(
    spec.items!.map(([name, property, type]) => [property, decodeReply(type, fields.get(name))]),
  );
}
