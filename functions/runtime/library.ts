/** From commands to what Redis calls: routing key, arguments, reply, and errors without script positions. */
import { bind, newBinder, type Binder } from "./arguments";
import { startClock } from "./clock";
import { slowCollector } from "./collector";
import type { Command, ReplyType } from "./declare";
import { command, record, takesOnce, textReply } from "./declare";
import { fail, quote, toErrorReply } from "./errors";
import { hashTag, usePartition } from "./keys";
import { answerOnce, sealOf, takeText } from "./once";
import { requireOneServer, requireStableSlot } from "./slot";

/** A function as Redis calls it. */
type Callback = (this: void, keys: string[], args: string[]) => unknown;

/** A handler may answer a record flat already; what has a first element is. */
function encode(reply: ReplyType, value: unknown): unknown {
  if (reply.kind === "record") {
    if (value === undefined) return false;
    if ((value as unknown[])[0] !== undefined) return value;
    const fields = value as Record<string, unknown>;
    const flat: unknown[] = [];
    for (const field of reply.items!) {
      const content = fields[field.name];
      flat.push(field.name);
      flat.push(content === undefined ? false : content);
    }
    return flat;
  }
  if (reply.kind === "nullable") return value === undefined ? false : encode(reply.of!, value);
  return value;
}

/** The partition that the routing key carries. */
function partitionOf(keys: string[], routingKey: string): string {
  if (keys.length > 1) fail("BADARG", `at most one routing key, got ${keys.length}`);
  const tag = hashTag(routingKey);
  const [colon] = string.find(tag, ":", 1, true);
  if (colon !== undefined) fail("BADARG", `the routing key must have no colon in its braces, got ${quote(routingKey)}`);
  return tag;
}

/** The call that runs; kept here so that no closure is made for each call. */
let calledCommand: Command;
let calledBinder: Binder;
let calledKeys: string[];
let calledArgs: string[];

/** Whether the names of the call before had no partition, as they have on one server. */
let isWhole = true;

function dispatch(): unknown {
  const routingKey = calledKeys[0];
  if (routingKey !== undefined || !isWhole) {
    const partition = routingKey === undefined ? "" : partitionOf(calledKeys, routingKey);
    usePartition(partition);
    isWhole = partition === "";
    if (!isWhole) requireStableSlot(routingKey!, partition);
  }
  const { declaration } = calledCommand;
  const last = takesOnce(declaration) ? takeText(calledArgs, declaration.positional.length) : undefined;
  const args = bind(calledBinder, calledArgs);
  const text = last ?? (args["once"] as string | undefined);
  if (text === undefined) {
    if (args["once_for"] !== undefined) fail("BADARG", "ONCE_FOR is given without ONCE");
    return make(args);
  }
  if (last !== undefined && args["once"] !== undefined) fail("BADARG", "ONCE is given twice");
  return answerOnce(sealOf(declaration.name, calledArgs), text, args["once_for"] as number | undefined, make, args);
}

function make(args: Record<string, unknown>): unknown {
  return encode(calledCommand.declaration.reply, calledCommand.run(args as never));
}

/** A command that has a form with keys, told by how many there are. */
function dispatchByKeys(): unknown {
  const { keys, reply } = calledCommand.declaration.keysForm!;
  if (calledKeys.length !== keys.length) return dispatch();
  usePartition("");
  isWhole = true;
  requireOneServer(calledCommand.declaration.name);
  return encode(reply, calledCommand.runKeys!(calledKeys, calledArgs));
}

/** xpcall, because Redis replaces pcall by one that flattens `{err}` to its text: ours could not be told from a defect. */
function callback(target: Command): Callback {
  const onError = (raised: unknown): RedisError => toErrorReply(target.declaration.name, raised);
  const binder = newBinder(target.declaration);
  const run = target.declaration.keysForm === undefined ? dispatch : dispatchByKeys;
  return (keys, args) => {
    calledCommand = target;
    calledBinder = binder;
    calledKeys = keys;
    calledArgs = args;
    startClock();
    const [, result] = xpcall(run, onError);
    return result;
  };
}

/** Every library can be asked what it is, so that deploying can verify it and a host can see drift. */
export function libraryInfo(functionName: string): Command {
  return command(
    {
      name: functionName,
      summary: "Name, version and content hash of this library",
      role: "reader",
      flags: ["no-writes", "allow-stale"],
      positional: [],
      options: [],
      reply: record([
        { name: "library", type: textReply, doc: "name of the library" },
        { name: "version", type: textReply, doc: "version of the package it was built from" },
        { name: "hash", type: textReply, doc: "SHA-1 of the library's code" },
      ]),
      errors: ["BADARG"],
    },
    () => ({ library: LIBRARY_NAME, version: LIBRARY_VERSION, hash: LIBRARY_HASH }),
  );
}

/** The callbacks of a library by function name; made once, at its first call. */
export function callbacks(commands: readonly Command[]): Record<string, Callback> {
  slowCollector();
  const byName: Record<string, Callback> = {};
  for (const each of commands) byName[each.declaration.name] = callback(each);
  return byName;
}
