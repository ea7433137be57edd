/** What an operator can set, where it is kept, and the two functions for it. */
import { choice, command, integer, integerReply, json, jsonReply, record, textReply } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { KEEP_MS, MAX_KEEP_MS, MIN_KEEP_MS } from "../runtime/kept";
import { fields, onKey, requirePass, requireType } from "../runtime/types";
import type { Naming } from "./identity";
import * as names from "./names";
import { FINEST, TIERS, windowStart } from "./windows";

const PARENT = FINEST + 1;

const MAX_HOSTS = 10000;
const MAX_WEBSITE_BYTES = 128;
const MAX_HOSTS_BYTES = 1048576;

/** What becomes of an event whose host is not in the table: named after the host, put under `other`, or refused. */
const UNKNOWN_HOSTS = ["host", "other", "refuse"] as const;

const DEFAULTS = {
  unknown: "host",
  maxlen: 10000,
  documentDays: 90,
  seriesFineDays: 30,
  seriesCoarseDays: 400,
  refreshDays: 7,
  idKeepMs: KEEP_MS,
};

/** How far rotation has come. */
interface RotationState {
  /** End of the last five-minute window that rotation has looked at. */
  rotatedMs: number;
  /** The latest clock that rotation has gone by: what it dropped is dropped for every clock. */
  clockMs: number;
}

/** Options in force, and how far rotation has come. */
export interface State extends Naming, RotationState {
  /** End of the last five-minute window that held views when the naming of websites was changed; 0 if it never was. */
  renamedMs: number;
}

function numberOr(stored: string | false | undefined, otherwise: number): number {
  return stored === false || stored === undefined ? otherwise : tonumber(stored)!;
}

type Stored = [rotated: string | false, unknown: string | false, naming: string | false, clock: string | false];

let latestStored: Stored | undefined;
let latestState: State;

/**
 * The fingerprint of the table of hosts, empty where there is none, and after a space, where there is one, up to when pages may have
 * been counted for other websites. One field, because every event reads it.
 */
function parseNaming(stored: string | false): LuaMultiReturn<[hosts: string, renamed: string | undefined]> {
  const [hosts, renamed] = string.match(stored === false ? "" : stored, "^(%x*) ?(%d*)$");
  return $multi(hosts!, renamed !== "" ? renamed : undefined);
}

function parseState(stored: Stored): State {
  const [rotated, unknown, naming, clockMs] = stored;
  const [hosts, renamed] = parseNaming(naming);
  return {
    rotatedMs: numberOr(rotated, 0),
    unknown: unknown === false ? DEFAULTS.unknown : unknown,
    hosts,
    clockMs: numberOr(clockMs, 0),
    renamedMs: numberOr(renamed, 0),
  };
}

/**
 * What counting needs to know, in one read; CONFLICT if the state hash is no hash. Equal fields are parsed once: they
 * change every five minutes, and events come by the thousand.
 */
export function readState(): State {
  const name = names.state();
  const stored = redis.pcall("HMGET", name, "rotated", "config:unknown", "config:hosts", "clock") as Stored;
  if (stored[0] === undefined) requirePass("HMGET", name, stored);
  const known = latestStored;
  if (
    known === undefined ||
    stored[0] !== known[0] ||
    stored[1] !== known[1] ||
    stored[2] !== known[2] ||
    stored[3] !== known[3]
  ) {
    latestStored = stored;
    latestState = parseState(stored);
  }
  return latestState;
}

/** How long points of series are kept. */
export interface PointRetention {
  seriesFineDays: number;
  seriesCoarseDays: number;
}

/** How much and how long things are kept. */
export interface Retention extends PointRetention {
  maxlen: number;
  documentDays: number;
}

const RETENTION_FIELDS = [
  "config:maxlen",
  "config:document_days",
  "config:series_fine_days",
  "config:series_coarse_days",
];

/** The options of retention, in one read; CONFLICT if the state hash is no hash. */
export function readRetention(): Retention {
  const [maxlen, documentDays, seriesFineDays, seriesCoarseDays] = fields(names.state(), RETENTION_FIELDS);
  return {
    maxlen: numberOr(maxlen, DEFAULTS.maxlen),
    documentDays: numberOr(documentDays, DEFAULTS.documentDays),
    seriesFineDays: numberOr(seriesFineDays, DEFAULTS.seriesFineDays),
    seriesCoarseDays: numberOr(seriesCoarseDays, DEFAULTS.seriesCoarseDays),
  };
}

/** What rotation needs to know, in one read; CONFLICT if the state hash is no hash. */
export function readRotation(): RotationState & PointRetention & { isShared: boolean } {
  const [rotated, clockMs, fine, coarse, shared] = onKey(
    "HMGET",
    names.state(),
    "rotated",
    "clock",
    "config:series_fine_days",
    "config:series_coarse_days",
    "config:shared",
  );
  return {
    isShared: shared === "1",
    rotatedMs: numberOr(rotated, 0),
    clockMs: numberOr(clockMs, 0),
    seriesFineDays: numberOr(fine, DEFAULTS.seriesFineDays),
    seriesCoarseDays: numberOr(coarse, DEFAULTS.seriesCoarseDays),
  };
}

/** Whether new pages are announced, and after how long their metadata is asked for again. */
interface Enrichment {
  isOn: boolean;
  refreshDays: number;
}

/** The options of enrichment, in one read; CONFLICT if the state hash is no hash. */
export function readEnrichment(): Enrichment {
  const [enrich, refreshDays] = fields(names.state(), ["config:enrich", "config:refresh_days"]);
  return { isOn: enrich === "1", refreshDays: numberOr(refreshDays, DEFAULTS.refreshDays) };
}

/** How long ids of events are kept; read only where there are any. */
export function readIdKeep(): number {
  return numberOr(redis.call("HGET", names.state(), "config:id_keep"), DEFAULTS.idKeepMs);
}

/** Notes how far a rotation has gone; a clock that runs backwards undoes nothing. */
export function noteRotation(state: RotationState, nowMs: number, fromMinutes: boolean): void {
  if (nowMs > state.clockMs) redis.call("HSET", names.state(), "clock", `${nowMs}`);
  const rotatedMs = windowStart(TIERS[PARENT]!.lengthMs, nowMs);
  if (fromMinutes && rotatedMs > state.rotatedMs) redis.call("HSET", names.state(), "rotated", `${rotatedMs}`);
}

/** The table of hosts as host, website, host, website. */
function parseHosts(text: string): string[] {
  const [ok, decoded] = pcall(cjson.decode, text);
  if (!ok || type(decoded) !== "table")
    fail("BADCONFIG", `HOSTS must be a JSON object of host to website, got ${quote(text)}`);
  const flat: string[] = [];
  for (const [host, website] of pairs(decoded as Record<string, unknown>)) {
    if (type(host) !== "string") fail("BADCONFIG", "HOSTS must be a JSON object of host to website, got an array");
    const name = type(website) === "string" ? (website as string) : "";
    if (name === "" || name.length > MAX_WEBSITE_BYTES) {
      fail("BADCONFIG", `HOSTS: the website of ${quote(host)} must be text of 1 to ${MAX_WEBSITE_BYTES} bytes`);
    }
    flat.push(string.lower(host));
    flat.push(string.lower(name));
  }
  if (flat.length > 2 * MAX_HOSTS)
    fail("LIMIT", `HOSTS holds ${flat.length / 2} hosts, at most ${MAX_HOSTS} are allowed`);
  return flat;
}

function replaceHosts(flat: string[]): void {
  redis.call("DEL", names.hosts());
  for (const at of $range(1, flat.length, 2)) redis.call("HSET", names.hosts(), flat[at - 1]!, flat[at]!);
}

/**
 * Notes the fingerprint of the table of hosts (equal tables have equal ones, however they came to be), and up to when pages may
 * have been counted for other websites than from now on: in the windows that are open. There a page that was seen in its minute is
 * not known to its website yet.
 *
 * @param fingerprint undefined where the table stays as it is
 */
function noteNaming(fingerprint: string | undefined, openWindows: string): void {
  const [hosts, renamed] = parseNaming(redis.call("HGET", names.state(), "config:hosts"));
  const [last] = redis.call("ZRANGE", openWindows, "-1", "-1");
  const openMs = last === undefined ? 0 : tonumber(last)! + TIERS[PARENT]!.lengthMs;
  const renamedMs = Math.max(numberOr(renamed, 0), openMs);
  redis.call("HSET", names.state(), "config:hosts", (fingerprint ?? hosts) + (renamedMs > 0 ? ` ${renamedMs}` : ""));
}

const days = (min: number) => integer(min, 3650);

export const configureTracker = command(
  {
    name: "configure_tracker",
    summary: "Sets options of the tracker; those not named stay as they are",
    doc: "Every option applies from the next call on; what is stored already keeps the time to live it has.",
    role: "admin",
    flags: [],
    positional: [],
    options: [
      {
        name: "HOSTS",
        type: json(MAX_HOSTS_BYTES),
        schema: "Hosts",
        doc: 'the whole table of hosts, in place of the one before: `{"www.rtl.lu": "rtl"}`; `{}` empties it',
      },
      {
        name: "UNKNOWN",
        type: choice(UNKNOWN_HOSTS),
        doc: "an event whose host is not in the table: website named after the host, website `other`, or refused",
      },
      { name: "MAXLEN", type: integer(0, 1000000000), doc: "about how many consumed entries an event stream keeps" },
      {
        name: "DOCUMENT_DAYS",
        type: days(8),
        doc:
          "days without a visit after which expire_documents removes a document; by then no window counts it any " +
          "more",
      },
      { name: "SERIES_FINE_DAYS", type: days(8), doc: "days that points of 5 and 10 minutes are kept" },
      { name: "SERIES_COARSE_DAYS", type: days(8), doc: "days that points of 1 and 3 hours are kept" },
      {
        name: "ENRICH",
        type: integer(0, 1),
        flag: true,
        doc:
          "1: pages are announced on `ST:ENRICH:P:::`, for something that reads them and calls enrich_document; 0: " +
          "they are not (default). Pages that came while it was 0 are announced by refresh_documents",
      },
      {
        name: "REFRESH_DAYS",
        type: days(1),
        doc: "days after which refresh_documents asks for the metadata of a page again",
      },
      {
        name: "SHARED",
        type: integer(0, 1),
        doc:
          "1: websites of this partition are counted in others as well; rotation notes for `get_carry` what devices it " +
          "has merged, and HyperLogLogs of all but pages are kept for 3 hours at least; 0: they are not (default)",
      },
      {
        name: "ID_KEEP",
        type: integer(MIN_KEEP_MS, MAX_KEEP_MS),
        doc: `how long an event with an \`id\` is known when it comes again, ms (${KEEP_MS} by default)`,
      },
    ],
    reply: integerReply,
    errors: ["BADARG", "BADCONFIG", "LIMIT", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
  },
  (args) => {
    const hosts = args.hosts === undefined ? undefined : parseHosts(args.hosts);
    requireType(names.state(), "hash");
    requireType(names.hosts(), "hash");
    const renames = hosts !== undefined || args.unknown !== undefined;
    const openWindows = names.openWindowsOfPages();
    if (renames) requireType(openWindows, "zset");
    const changes: (string | number)[] = [];
    const set = (name: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      changes.push(`config:${name}`);
      changes.push(value);
    };
    set("unknown", args.unknown);
    set("maxlen", args.maxlen);
    set("document_days", args.document_days);
    set("series_fine_days", args.series_fine_days);
    set("series_coarse_days", args.series_coarse_days);
    set("enrich", args.enrich);
    set("refresh_days", args.refresh_days);
    set("shared", args.shared);
    set("id_keep", args.id_keep);
    if (changes.length > 0) redis.call("HSET", names.state(), ...changes);
    if (hosts !== undefined) replaceHosts(hosts);
    const fingerprint = hosts === undefined ? undefined : hosts.length > 0 ? redis.sha1hex(args.hosts!) : "";
    if (renames) noteNaming(fingerprint, openWindows);
    return 1;
  },
);

function hostsJson(): string {
  const flat = redis.call("HGETALL", names.hosts());
  const table: Record<string, string> = {};
  for (const at of $range(1, flat.length, 2)) table[flat[at - 1]!] = flat[at]!;
  return cjson.encode(table);
}

export const getTrackerConfig = command(
  {
    name: "get_tracker_config",
    summary: "The options of the tracker that are in force, defaults included",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [],
    reply: record([
      { name: "hosts", type: jsonReply, schema: "Hosts", doc: "host to website" },
      {
        name: "unknown",
        type: textReply,
        words: ["host", "other", "refuse"],
        doc: "what becomes of an event whose host is not in the table",
      },
      { name: "maxlen", type: integerReply, doc: "about how many consumed entries an event stream keeps" },
      {
        name: "document_days",
        type: integerReply,
        unit: "days",
        doc: "days without a visit after which a document is removed",
      },
      {
        name: "series_fine_days",
        type: integerReply,
        unit: "days",
        doc: "days that points of 5 and 10 minutes are kept",
      },
      {
        name: "series_coarse_days",
        type: integerReply,
        unit: "days",
        doc: "days that points of 1 and 3 hours are kept",
      },
      { name: "enrich", type: integerReply, flag: true, doc: "1 if pages are announced for enrichment" },
      { name: "refresh_days", type: integerReply, unit: "days", doc: "days after which metadata is asked for again" },
      {
        name: "shared",
        type: integerReply,
        flag: true,
        doc: "1 if websites of this partition are counted in others as well",
      },
      { name: "id_keep", type: integerReply, unit: "ms", doc: "how long ids of events are kept, ms" },
    ]),
    errors: ["BADARG", "CONFLICT"],
  },
  () => {
    requireType(names.hosts(), "hash");
    const { maxlen, documentDays, seriesFineDays, seriesCoarseDays } = readRetention();
    const { isOn, refreshDays } = readEnrichment();
    return {
      hosts: hostsJson(),
      unknown: readState().unknown,
      maxlen,
      document_days: documentDays,
      series_fine_days: seriesFineDays,
      series_coarse_days: seriesCoarseDays,
      enrich: isOn ? 1 : 0,
      refresh_days: refreshDays,
      shared: readRotation().isShared ? 1 : 0,
      id_keep: readIdKeep(),
    };
  },
);
