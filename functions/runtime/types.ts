/** Foreign keys are found out before the first write: a command that fails half-way would leave half a call behind. */
import { fail } from "./errors";

type ValueType = "hash" | "zset" | "set" | "stream" | "string" | "list";

/** Fails with CONFLICT, naming the key, if it holds something else. */
export function requireType(name: string, expected: ValueType): void {
  const found = redis.call("TYPE", name).ok;
  if (found !== expected && found !== "none") fail("CONFLICT", `${name} holds a ${found}, not a ${expected}`);
}

/**
 * Whether there is a HyperLogLog (its text begins with `HYLL`); fails with CONFLICT, naming the key, if there is anything
 * else but the empty string, which cannot be told from nothing at this price.
 */
export function requireHyperLogLog(name: string): boolean {
  const magic = redis.pcall("GETRANGE", name, "0", "3");
  if (magic !== "HYLL" && magic !== "") fail("CONFLICT", `${name} holds something that is no HyperLogLog`);
  return magic === "HYLL";
}

/** Commands whose first argument is the key that they read or write. */
type KeyCommand = {
  [C in keyof RedisCommands]: Parameters<RedisCommands[C]> extends [string, ...RedisArgument[]] ? C : never;
}[keyof RedisCommands];

type AfterKey<C extends KeyCommand> = Parameters<RedisCommands[C]> extends [string, ...infer Rest] ? Rest : never;

/** The error that a command replied; CONFLICT, naming the key, if it says that this holds another type than the command is for. */
export function problemOf(commandName: string, name: string, reply: unknown): RedisError | undefined {
  if (type(reply) !== "table") return undefined;
  const problem = (reply as RedisError).err;
  if (problem === undefined) return undefined;
  const isForeign = string.sub(problem, 1, 9) === "WRONGTYPE";
  return { err: isForeign ? `CONFLICT ${name} holds another type than ${commandName} is for` : problem };
}

/** Fails with the error that a command replied, if it did; see `problemOf`. */
export function requirePass(commandName: string, name: string, reply: unknown): void {
  const problem = problemOf(commandName, name, reply);
  if (problem !== undefined) error(problem);
}

/** Runs a command on a key; CONFLICT, naming the key, if it holds another type than the command is for. */
export function onKey<C extends KeyCommand>(
  commandName: C,
  name: string,
  ...rest: AfterKey<C>
): ReturnType<RedisCommands[C]> {
  const pass = redis.pcall as (this: void, commandName: string, ...args: unknown[]) => unknown;
  const found = pass(commandName, name, ...(rest as unknown[]));
  if (type(found) === "table") requirePass(commandName, name, found);
  return found as ReturnType<RedisCommands[C]>;
}

/** Scores of members, false for one that is not there; CONFLICT, naming the key, if it is no sorted set. */
export function scores(name: string, members: string[]): (string | false)[] {
  return onKey("ZMSCORE", name, ...members);
}

/** Values of fields, false for one that is not there; CONFLICT, naming the key, if it is no hash. */
export function fields(name: string, wanted: string[]): (string | false)[] {
  return onKey("HMGET", name, ...wanted);
}
