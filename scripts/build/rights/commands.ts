/** What commands do to keys: the part of the server's own table that rights are made from. */
import type { KeyType } from "../../../functions/runtime/keys";

/** Which keys a command may change; none where it only reads. */
export type Changes = readonly KeyType[] | "any" | "none";

const words = (text: string): string[] => text.split(" ");

const READING = words(
  "time exists type memory|usage object|encoding ttl pttl expiretime pexpiretime dump touch " +
    "get mget getrange strlen getbit bitcount bitpos " +
    "hexists hget hgetall hkeys hlen hmget hrandfield hscan hstrlen hvals " +
    "lindex llen lpos lrange scard sdiff sinter sintercard sismember smembers smismember srandmember sscan sunion " +
    "zcard zcount zdiff zinter zintercard zlexcount zmscore zrandmember zrange zrank zrevrank zscan zscore zunion " +
    "xlen xrange xrevrange xpending xinfo|stream xinfo|groups xinfo|consumers scan",
);

/** Commands that change only keys of a type, by the letters of that type's names. */
const CHANGING: [changes: readonly KeyType[], commands: string[]][] = [
  [["H"], words("hdel hincrby hincrbyfloat hmset hset hsetnx")],
  [["L"], words("linsert lmove lmpop lpop lpush lpushx lrem lset ltrim rpop rpush rpushx")],
  [["S"], words("sadd sdiffstore sinterstore smove spop srem sunionstore")],
  [
    ["SS"],
    words(
      "zadd zdiffstore zincrby zinterstore zmpop zpopmax zpopmin zrangestore zrem zremrangebylex zremrangebyrank zremrangebyscore zunionstore",
    ),
  ],
  [["ST"], words("xack xadd xautoclaim xclaim xdel xgroup|create xgroup|destroy xsetid xtrim")],
  // Counting may rewrite the estimate that is kept in the key, so it takes the right to write.
  [["HLL"], words("pfadd pfmerge pfcount")],
  // SET replaces whatever it finds; no name of another type is ever built for it.
  [["STR"], words("set setex psetex setnx")],
];

const CHANGING_ANY = words(
  "copy del unlink rename renamenx move persist restore expire expireat pexpire pexpireat " +
    "setrange append getset getdel getex incr incrby incrbyfloat decr decrby mset setbit bitop",
);

const CHANGES = new Map<string, Changes>([
  ...READING.map((name) => [name, "none"] as const),
  ...CHANGING.flatMap(([changes, names]) => names.map((name) => [name, changes] as const)),
  ...CHANGING_ANY.map((name) => [name, "any"] as const),
]);

/** Commands that are nothing without a subcommand. */
export const CONTAINERS = new Set(["xinfo", "xgroup", "memory", "object"]);

/** Commands that need the right to write but change nothing that anybody can read. */
export const HARMLESS = new Set(["pfcount"]);

/** All commands of the table. */
export const KNOWN_COMMANDS: readonly string[] = [...CHANGES.keys()];

/** What a command may change; undefined if it is not in the table. */
export function changesOf(command: string): Changes | undefined {
  return CHANGES.get(command);
}
