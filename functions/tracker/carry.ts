/**
 * Devices of websites, sections and media that are counted in several partitions, brought together in one of them, the record's home.
 *
 * Views add up over partitions, devices do not. So rotation of a shared partition notes what windows of five minutes it
 * has merged, the host takes these HyperLogLogs to each record's home, and there they unite with what was seen at home, as late events do. A union
 * may be repeated without harm: nothing is taken off the list before it has arrived, and what was merged again meanwhile has
 * another serial number by then.
 */
import {
  bytes,
  bytesReply,
  choice,
  command,
  integer,
  integerReply,
  list,
  NOW,
  nullable,
  recordId,
  text,
  textReply,
  tuple,
  unixMs,
} from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey, requireHyperLogLog, requireType } from "../runtime/types";
import * as names from "./names";
import type { Dimension } from "./names";
import { uniteWithWindow } from "./rotation";
import { COARSEST, MADE_TIERS, tierIndex, TIERS, windowStart } from "./windows";

/** All that may be seen in several partitions. */
const CARRIED = ["W", "S", "A", "V", "PC"] as const;

/** A header of 16 bytes and 16,384 registers of six bits: the largest HyperLogLog there is (`hyperloglog.c` of Redis). */
const DENSE_BYTES = 12304;

/** A window and an id, as `carriedDevices` lists them. */
interface Carried {
  dimension: Dimension;
  tier: number;
  startMs: number;
  id: string;
}

function parseCarried(listed: string): Carried {
  const [dimension, tier, start, id] = string.match(listed, "^(%u+) (%d) (%d+) (%x+)$");
  if (id === undefined) fail("CONFLICT", `${names.carriedDevices()} holds ${quote(listed)}, which names no window`);
  return { dimension: dimension as Dimension, tier: tonumber(tier)!, startMs: tonumber(start)!, id };
}

/** The HyperLogLog of the window, or of the narrowest around it that is left; undefined where none is. */
function findDevices({
  dimension,
  tier,
  startMs,
  id,
}: Carried): [tier: number, startMs: number, devices: string] | undefined {
  for (const index of $range(tier, COARSEST)) {
    const windowMs = windowStart(TIERS[index]!.lengthMs, startMs);
    const name = names.devices(index, dimension, id, `${windowMs}`);
    if (requireHyperLogLog(name)) return [index, windowMs, redis.call("GET", name) as string];
  }
  return undefined;
}

export const getCarry = command(
  {
    name: "get_carry",
    summary: "Devices that rotation has merged and other partitions have to learn, those merged first first",
    doc:
      "Of a partition with SHARED. Each record has a home among the partitions that share it, which the caller chooses. Give " +
      "each HyperLogLog to `put_carry` there, unless it is here, then the last `serial` to `end_carry` here; " +
      "until then the same are answered again. Where a window has ended before it was taken, it is that of the " +
      "narrowest tier which is left.",
    role: "scheduler",
    flags: ["no-writes"],
    positional: [],
    options: [{ name: "COUNT", type: integer(1, 200), default: 50, doc: "how many at most, of up to 12 KB each" }],
    reply: list(
      tuple([
        { name: "serial", type: textReply, doc: "for `end_carry`" },
        { name: "dimension", type: textReply, doc: "website, section, audio, video or podcast" },
        { name: "id", type: textReply, doc: "id of the record" },
        { name: "tier", type: textReply, doc: "length of the window" },
        { name: "window", type: integerReply, unit: "unix_ms", doc: "start of the window, unix ms" },
        { name: "devices", type: nullable(bytesReply), doc: "the HyperLogLog; nil where nothing of it is left" },
      ]),
    ),
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => {
    const flat = onKey("ZRANGE", names.carriedDevices(), "0", `${args.count - 1}`, "WITHSCORES");
    const found: unknown[] = [];
    for (const at of $range(1, flat.length, 2)) {
      const carried = parseCarried(flat[at - 1]!);
      const [tier, startMs, devices] = findDevices(carried) ?? [carried.tier, carried.startMs, false];
      found.push([flat[at], carried.dimension, carried.id, TIERS[tier]!.name, startMs, devices]);
    }
    return found;
  },
);

export const putCarry = command(
  {
    name: "put_carry",
    summary: "Unites devices that another partition has seen with a window of this one",
    doc:
      "Rotation carries them into the windows above, and notes the points. May be repeated: a device counts once. What " +
      "comes for a window that is not kept any more is in the windows around it that are.",
    role: "scheduler",
    flags: [],
    positional: [
      { name: "dimension", type: choice(CARRIED), doc: "website, section, audio, video or podcast" },
      { name: "id", type: recordId, doc: "id of the record" },
      { name: "tier", type: choice(MADE_TIERS), doc: "length of the window" },
      { name: "window", type: unixMs, doc: "start of the window" },
      { name: "devices", type: bytes(1, DENSE_BYTES), doc: "the HyperLogLog, as `get_carry` answered it" },
    ],
    options: [NOW],
    reply: integerReply,
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
  },
  (args) => {
    const tier = tierIndex(args.tier);
    if (args.window % TIERS[tier]!.lengthMs !== 0) {
      fail("BADARG", `window must be the start of one of ${args.tier}, got ${args.window}`);
    }
    if (string.sub(args.devices, 1, 4) !== "HYLL") {
      fail("BADARG", `devices must be a HyperLogLog, got ${quote(args.devices)}`);
    }
    uniteWithWindow({ tier, dimension: args.dimension, startMs: args.window }, args.id, args.devices, args.now);
    return 1;
  },
);

export const endCarry = command(
  {
    name: "end_carry",
    summary: "Says that devices have arrived where they belong",
    doc: "All up to this serial number are taken off the list; what rotation has merged again since is not among them.",
    role: "scheduler",
    flags: [],
    positional: [{ name: "serial", type: text(1, 17), doc: "the last one of `get_carry` that has arrived" }],
    options: [],
    reply: integerReply,
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "how many were taken off the list" },
    repeat: "differs",
  },
  (args) => {
    const [digits] = string.find(args.serial, "^%d+$");
    if (digits === undefined) fail("BADARG", `serial must be one that get_carry answered, got ${quote(args.serial)}`);
    requireType(names.state(), "hash");
    const ended = onKey("ZREMRANGEBYSCORE", names.carriedDevices(), "-inf", args.serial);
    // So that no number is given again, even by a clock that was set back.
    if (ended > 0) redis.call("HSET", names.state(), "carried", args.serial);
    return ended;
  },
);
