/** The functions of all libraries as typed methods: arguments to the wire, replies and errors from it. */
import {
  SPECIFICATIONS,
  type FunctionSpecification,
  type HotpathFunctions,
  type ReplySpecification,
} from "../contract";
import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { backoffMs } from "../runtime/backoff";
import { HotpathError, ReplyError, SlotMovingError, UnavailableError } from "../runtime/errors";
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
  /**
   * The functions whose calls are named by ONCE, each with a text of its own, unless the caller gives one. Where the reply of such a
   * call is lost, it is made again. Default: none.
   */
  once?: (specification: FunctionSpecification) => boolean;
}

type Values = Record<string, unknown>;

/** How long a call is made again while its slot is being moved: a slot with few keys has moved by then. */
const MOVING_PATIENCE_MS = 2000;

/** How long a call under ONCE is made again after its reply was lost: a server that was restarted is back by then. */
const LOST_PATIENCE_MS = 5000;

/** The option that names a call. */
const ONCE = "once";

/** Its callers have several under way, which count in their order only: they try again by themselves. */
const IN_ORDER = "import_events";

/**
 * The typed client.
 *
 * Functions that only read are called with FCALL_RO, on primaries too: it works on replicas, and a user may be allowed
 * FCALL_RO alone.
 *
 * A call whose slot is being moved has done nothing, and is made again for two seconds. It fails with a SlotMovingError then. A call
 * under ONCE whose reply was lost is made again for five seconds. It fails with the first UnavailableError then.
 *
 * @param send how commands are sent; its ReplyErrors become HotpathErrors, other errors pass as they are
 */
export function createFunctions(send: Send, options: FunctionsOptions = {}): HotpathFunctions {
  const methods: Record<string, (args?: Values) => Promise<unknown>> = {};
  const nameCall = newTexts();
  for (const [name, specification] of Object.entries(SPECIFICATIONS)) {
    const isNamed = writes(specification) && (options.once?.(specification) ?? false);
    const sendOne: Send = holdsBytes(specification.reply)
      ? (args, routing) => send(args, { ...routing, asBuffers: true })
      : send;
    methods[name] = (args = {}) =>
      call(sendOne, options, specification, isNamed && args[ONCE] === undefined ? { ...args, once: nameCall() } : args);
  }
  return methods as unknown as HotpathFunctions;
}

/** Whether a function writes, and so takes ONCE. */
function writes({ options }: FunctionSpecification): boolean {
  return options.some(([, property]) => property === ONCE);
}

/** Texts for ONCE that no other process gives: 72 random bits, and a number. */
function newTexts(): () => string {
  const prefix = randomBytes(9).toString("base64url");
  let count = 0;
  return () => `${prefix}${(count++).toString(36)}`;
}

async function call(
  send: Send,
  options: FunctionsOptions,
  spec: FunctionSpecification,
  args: Values,
): Promise<unknown> {
  const { routingKey, heal } = options;
  const command = encodeCall(spec, args, routingKey);
  const routing = routingKey === undefined ? {} : { routingKey };
  const isRepeatable = args[ONCE] !== undefined;
  try {
    return decodeReply(
      spec.reply,
      await healing(() => sending(() => send(command, routing), spec, isRepeatable), spec, heal),
    );
  } catch (error) {
    if (error instanceof ReplyError) throw new HotpathError(error.code, error.sentence, spec.name);
    throw error;
  }
}

/** Sends until the slot has moved, or a reply has come; see {@link createFunctions}. */
async function sending(
  attempt: () => Promise<unknown>,
  spec: FunctionSpecification,
  isRepeatable: boolean,
): Promise<unknown> {
  const movingUntilMs = performance.now() + (spec.name === IN_ORDER ? 0 : MOVING_PATIENCE_MS);
  let lost: { error: UnavailableError; untilMs: number } | undefined;
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      const moving = asMoving(error);
      if (moving && !lost && performance.now() >= movingUntilMs) throw moving;
      if (!moving) {
        if (!(error instanceof UnavailableError)) throw error;
        if (isRepeatable && error.maybeExecuted) lost ??= { error, untilMs: performance.now() + LOST_PATIENCE_MS };
        if (!lost) throw error;
      }
      // It may have been made, whatever kept its repeats from being answered.
      if (lost && performance.now() >= lost.untilMs) throw lost.error;
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
