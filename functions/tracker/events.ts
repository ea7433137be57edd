/** Events as they arrive, from JSON or from a stream entry, and why one is refused. */
import { MAX_ID_BYTES } from "../runtime/ids";
import { MAX_AGE_MS, MAX_AHEAD_MS } from "./windows";

export const MAX_URL_BYTES = 2048;
export const MAX_DEVICE_BYTES = 256;
const MAX_MEDIA_BYTES = 256;

/** Integers up to here print exactly (`%.14g`). */
const MAX_EXACT = 99999999999999;

/** What an event says before it is checked, from JSON or from a stream. */
export interface RawEvent {
  url?: unknown;
  uui?: unknown;
  dt?: unknown;
  audio?: unknown;
  video?: unknown;
  podcast?: unknown;
  id?: unknown;
}

/** What was played. */
export type Media = [dimension: "A" | "V" | "PC", id: string][];

/** Why an event is refused, as it is counted and kept. */
export type Reason = "json" | "url" | "uui" | "dt" | "future" | "old" | "media" | "id" | "website";

export const REASONS: Record<Reason, string> = {
  json: "not a JSON object",
  url: "url must be an absolute http(s) address of at most 2048 bytes",
  uui: "uui must be a device id of 1 to 256 bytes",
  dt: "dt must be a unix time in milliseconds",
  future: "dt is more than 5 minutes ahead of the clock",
  old: "dt is more than 7 days old",
  media: "audio, video and podcast must be ids of at most 256 bytes",
  id: "id must be text of at most 64 bytes",
  website: "the host of url belongs to no configured website",
};

function isWhole(value: number): boolean {
  return value >= 0 && value <= MAX_EXACT && value % 1 === 0;
}

/** Text as it is; a whole number as its digits; undefined for anything else. */
function asText(value: unknown): string | undefined {
  const kind = type(value);
  if (kind === "string") return value as string;
  return kind === "number" && isWhole(value as number) ? `${value as number}` : undefined;
}

/** The digits that were read last: where there are many events, the next one often has the same millisecond. */
let latestDigits = "0";
let latestMs = 0;

/** A unix time from digits; undefined for anything else. */
export function fromDigits(text: string): number | undefined {
  if (text === latestDigits) return latestMs;
  if (text.length > 14) return undefined;
  const [digits] = string.find(text, "^%d+$");
  if (digits === undefined) return undefined;
  latestDigits = text;
  latestMs = tonumber(text)!;
  return latestMs;
}

/** The device id in the field `uui`, or undefined where it cannot be one. */
export function deviceOf(uui: unknown): string | undefined {
  const device = type(uui) === "string" ? (uui as string) : asText(uui);
  return device === "" || device === "null" || device === undefined || device.length > MAX_DEVICE_BYTES
    ? undefined
    : device;
}

/** Why an event of this time is refused; undefined if it is not. */
export function untimely(timeMs: number, nowMs: number): Reason | undefined {
  if (timeMs > nowMs + MAX_AHEAD_MS) return "future";
  return timeMs < nowMs - MAX_AGE_MS ? "old" : undefined;
}

/** The time in the field `dt`, or the reason why the event is refused. */
export function timeOf(
  dt: unknown,
  nowMs: number,
): LuaMultiReturn<[timeMs: number | undefined, reason: Reason | undefined]> {
  const kind = type(dt);
  let timeMs: number | undefined;
  if (kind === "number") timeMs = dt as number;
  else if (kind === "string") timeMs = fromDigits(dt as string);
  if (timeMs === undefined || timeMs % 1 !== 0 || timeMs < 0 || timeMs > MAX_EXACT) return $multi(undefined, "dt");
  if (timeMs > nowMs + MAX_AHEAD_MS || timeMs < nowMs - MAX_AGE_MS) return $multi(undefined, untimely(timeMs, nowMs));
  return $multi(timeMs, undefined);
}

const MEDIA = [
  ["A", "audio"],
  ["V", "video"],
  ["PC", "podcast"],
] as const;

/** What was played; `false` where an id cannot be one. Absent, null and empty are the same. */
export function mediaOf(raw: RawEvent): Media | undefined | false {
  if (raw.audio === undefined && raw.video === undefined && raw.podcast === undefined) return undefined;
  const media: Media = [];
  for (const [dimension, field] of MEDIA) {
    const value = raw[field];
    if (value === undefined || value === cjson.null || value === "") continue;
    const id = asText(value);
    if (id === undefined || id.length > MAX_MEDIA_BYTES) return false;
    media.push([dimension, id]);
  }
  return media;
}

/** The id by which an event is known when it comes again; undefined where it has none, `false` where it cannot be one. */
export function idOf({ id: value }: RawEvent): string | undefined | false {
  if (value === undefined || value === cjson.null || value === "") return undefined;
  const id = asText(value);
  return id === undefined || id.length > MAX_ID_BYTES ? false : id;
}

const BRACE = 123;

/** An event from a JSON object; undefined for what is none. */
export function rawFromJson(text: string): RawEvent | undefined {
  if (string.byte(text) !== BRACE) {
    const [brace] = string.find(text, "^%s*{");
    if (brace === undefined) return undefined;
  }
  // What begins with a brace is decoded to a table, or not at all.
  const [ok, decoded] = pcall(cjson.decode, text);
  return ok ? (decoded as RawEvent) : undefined;
}

/** An event from the flat fields of a stream entry. */
export function rawFromEntry(flat: string[]): RawEvent {
  const raw: Record<string, string> = {};
  for (const at of $range(1, flat.length, 2)) raw[flat[at - 1]!] = flat[at]!;
  return raw;
}
