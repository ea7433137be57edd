/**
 * The Redis Lua API as it really answers (RESP2 conversion), command by command.
 *
 * What surprises, and why the types say it: a missing bulk reply is `false`, never nil; a status reply is a table
 * with `ok`; a number comes back as an integer; scores come back as strings. Each signature is tried against a server
 * by `test/redis-api.test.ts`, and a command without a signature does not compile.
 */

/** What redis.call takes. Redis prints numbers with `%.17g`, which costs more than the rest of a short call: pass text. */
type RedisArgument = string | number;

/** `+OK` and the like. */
interface RedisStatus {
  ok: string;
}

/** What an error looks like, thrown by `redis.call` or answered by a function. */
interface RedisError {
  err: string;
}

/** One stream entry: its id, then field, value, field, value. */
type RedisStreamEntry = [id: string, fields: string[]];

interface RedisCommands {
  DEL(this: void, ...keys: string[]): number;
  UNLINK(this: void, ...keys: string[]): number;
  EXISTS(this: void, ...keys: string[]): number;
  MEMORY(this: void, subcommand: "USAGE", key: string): number | false;
  COPY(this: void, source: string, destination: string): number;
  SCAN(this: void, cursor: string, ...options: RedisArgument[]): [cursor: string, keys: string[]];
  RENAME(this: void, from: string, to: string): RedisStatus;
  TYPE(this: void, key: string): RedisStatus;
  PEXPIRE(this: void, key: string, ms: RedisArgument): number;
  PERSIST(this: void, key: string): number;
  TIME(this: void): [seconds: string, microseconds: string];

  GET(this: void, key: string): string | false;
  STRLEN(this: void, key: string): number;
  GETRANGE(this: void, key: string, start: RedisArgument, end: RedisArgument): string;
  HDEL(this: void, key: string, ...fields: string[]): number;
  HEXISTS(this: void, key: string, field: RedisArgument): number;
  HGET(this: void, key: string, field: RedisArgument): string | false;
  HMGET(this: void, key: string, ...fields: RedisArgument[]): (string | false)[];
  HGETALL(this: void, key: string): string[];
  HKEYS(this: void, key: string): string[];
  HLEN(this: void, key: string): number;
  HRANDFIELD(this: void, key: string, count: RedisArgument, option: "WITHVALUES"): string[];
  HINCRBY(this: void, key: string, field: RedisArgument, by: RedisArgument): number;
  HSETNX(this: void, key: string, field: RedisArgument, value: RedisArgument): number;
  HSCAN(
    this: void,
    key: string,
    cursor: string,
    ...options: RedisArgument[]
  ): [cursor: string, fieldsAndValues: string[]];
  HSET(this: void, key: string, ...fieldsAndValues: RedisArgument[]): number;

  LINDEX(this: void, key: string, index: RedisArgument): string | false;
  LLEN(this: void, key: string): number;
  LPOP(this: void, key: string): string | false;
  LPOS(this: void, key: string, element: string, option: "MAXLEN", most: RedisArgument): number | false;
  LRANGE(this: void, key: string, start: RedisArgument, stop: RedisArgument): string[];
  LREM(this: void, key: string, count: RedisArgument, element: string): number;
  LSET(this: void, key: string, index: RedisArgument, element: string): RedisStatus;
  LTRIM(this: void, key: string, start: RedisArgument, stop: RedisArgument): RedisStatus;
  RPUSH(this: void, key: string, ...elements: string[]): number;

  PFADD(this: void, key: string, ...elements: string[]): number;
  PFCOUNT(this: void, ...keys: string[]): number;
  PFMERGE(this: void, destination: string, ...sources: string[]): RedisStatus;

  SET(this: void, key: string, value: string, option: "PX", ms: RedisArgument): RedisStatus;

  SADD(this: void, key: string, ...members: string[]): number;
  SCARD(this: void, key: string): number;
  SMEMBERS(this: void, key: string): string[];
  SMISMEMBER(this: void, key: string, ...members: string[]): number[];
  SRANDMEMBER(this: void, key: string, count: RedisArgument): string[];
  SREM(this: void, key: string, ...members: string[]): number;

  ZADD(this: void, key: string, ...optionsScoresAndMembers: RedisArgument[]): number;
  ZCARD(this: void, key: string): number;
  ZCOUNT(this: void, key: string, min: RedisArgument, max: RedisArgument): number;
  ZINCRBY(this: void, key: string, by: RedisArgument, member: string): string;
  ZLEXCOUNT(this: void, key: string, min: string, max: string): number;
  ZINTER(this: void, ...keysAndOptions: RedisArgument[]): string[];
  ZMSCORE(this: void, key: string, ...members: string[]): (string | false)[];
  ZRANDMEMBER(this: void, key: string, count: RedisArgument): string[];
  ZRANGE(this: void, key: string, start: RedisArgument, stop: RedisArgument, ...options: RedisArgument[]): string[];
  ZREM(this: void, key: string, ...members: string[]): number;
  ZREMRANGEBYRANK(this: void, key: string, start: RedisArgument, stop: RedisArgument): number;
  ZREMRANGEBYSCORE(this: void, key: string, min: RedisArgument, max: RedisArgument): number;
  ZSCORE(this: void, key: string, member: string): string | false;

  XADD(this: void, key: string, ...optionsIdAndFields: RedisArgument[]): string;
  XDEL(this: void, key: string, ...ids: string[]): number;
  XINFO(this: void, subcommand: "STREAM", key: string): (RedisArgument | false | RedisStreamEntry)[];
  XLEN(this: void, key: string): number;
  XRANGE(this: void, key: string, start: string, end: string, ...count: ["COUNT", number] | []): RedisStreamEntry[];
  XTRIM(this: void, key: string, strategy: "MAXLEN" | "MINID", precision: "~" | "=", threshold: RedisArgument): number;
}

declare namespace redis {
  const LOG_WARNING: number;

  /** Runs a command; its error is thrown as a table with `err`, and what was written before stays written. */
  function call<C extends keyof RedisCommands>(
    this: void,
    command: C,
    ...args: Parameters<RedisCommands[C]>
  ): ReturnType<RedisCommands[C]>;

  /** Runs a command; its error is answered, not thrown. */
  function pcall<C extends keyof RedisCommands>(
    this: void,
    command: C,
    ...args: Parameters<RedisCommands[C]>
  ): ReturnType<RedisCommands[C]> | RedisError;

  /** SHA-1 of the bytes of `text`, 40 lower-case hex digits. */
  function sha1hex(this: void, text: string): string;

  /** Writes a line to the server's log. */
  function log(this: void, level: number, message: string): void;
}

declare const cjson: {
  /** Throws a string on malformed text. Numbers are doubles; `null` is `cjson.null`. */
  decode(this: void, text: string): unknown;
  /** Numbers keep 14 digits; an empty table is `{}`; slashes are escaped. */
  encode(this: void, value: unknown): string;
  null: unknown;
};

declare const cmsgpack: {
  /** Bytes that hold a value exactly: integers, text of any bytes, booleans, arrays, an empty table as an empty array. */
  pack(this: void, value: unknown): string;
  unpack(this: void, packed: string): unknown;
};

/** lua-types knows `error` with strings only; a table with `err` is how Redis passes an error on. */
declare function error(this: void, value: RedisError): never;

/** Set by the build in the head of each library: the package's version and the SHA-1 of the library's code. */
declare const LIBRARY_NAME: string;
declare const LIBRARY_VERSION: string;
declare const LIBRARY_HASH: string;
