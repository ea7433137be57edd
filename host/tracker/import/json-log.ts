/** Access logs in JSON: Caddy, Traefik, nginx with `escape=json`, and Docker's json-file around any of them. */
import { clientOf, virtualHostOf } from "./client";
import { parseLogTime, type LogLine, type ReadLine } from "./log-line";
import { parseIsoTime, parseUnixTime } from "./log-time";

/** Who writes such a log. */
export type JsonLogName = "Caddy" | "Traefik" | "nginx JSON" | "Docker json-file";

type Fields = Readonly<Record<string, unknown>>;

/** The object that a line is; undefined where it is none. */
export function objectOf(text: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    // \s and trim() take a byte order mark for a space.
    return JSON.parse(text.trim()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null;

/** Tells who wrote an entry by the fields that only they write; undefined where it is none of them. */
export function nameOfEntry(entry: Fields): JsonLogName | undefined {
  if (isObject(entry["request"]) && "uri" in entry["request"] && "status" in entry) return "Caddy";
  if ("RequestPath" in entry && ("DownstreamStatus" in entry || "OriginStatus" in entry)) return "Traefik";
  if (typeof entry["log"] === "string" && ("stream" in entry || "time" in entry)) return "Docker json-file";
  return readNginx(entry) === undefined ? undefined : "nginx JSON";
}

/**
 * A reader of such logs.
 *
 * @param readPlain reads what is in Docker's entries, where that is no JSON
 */
export function jsonLogReader(readPlain: ReadLine): ReadLine {
  return (text) => {
    const entry = objectOf(text);
    return entry === undefined ? undefined : readEntry(entry, readPlain, 0);
  };
}

function readEntry(entry: Fields, readPlain: ReadLine, depth: number): LogLine | undefined {
  switch (nameOfEntry(entry)) {
    case "Caddy":
      return readCaddy(entry);
    case "Traefik":
      return readTraefik(entry);
    case "nginx JSON":
      return readNginx(entry);
    case "Docker json-file": {
      const text = String(entry["log"]).replace(/\r?\n$/, "");
      const inner = objectOf(text);
      if (inner === undefined) return readPlain(text);
      return depth === 0 ? readEntry(inner, readPlain, 1) : undefined;
    }
    case undefined:
      return undefined;
  }
}

/** The first of some fields that says something. */
function first(fields: Fields, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = fields[name];
    if (typeof value === "number") return String(value);
    if (typeof value === "string" && value !== "" && value !== "-") return value;
  }
  return undefined;
}

const header = (headers: unknown, name: string): string | undefined => {
  if (!isObject(headers)) return undefined;
  const found = Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  return Array.isArray(found) ? String(found[0]) : typeof found === "string" ? found : undefined;
};

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return parseUnixTime(text) ?? parseIsoTime(text) ?? parseLogTime(text.replace(/^\[|\]$/g, ""));
}

interface Said {
  client: string | undefined;
  time: string | undefined;
  status: string | undefined;
  request: string | undefined;
  host: string | undefined;
  isTls: boolean;
  userAgent: string | undefined;
  contentType: string | undefined;
}

function lineOf(said: Said): LogLine | undefined {
  const client = clientOf(said.client ?? "");
  const timeMs = timeOf(said.time);
  const { request, status } = said;
  if (client === undefined || timeMs === undefined || request === undefined) return undefined;
  if (status === undefined || !/^\d{3}$/.test(status)) return undefined;
  const vhost = virtualHostOf(said.host ?? "");
  return {
    vhost: vhost && { name: vhost.name, port: vhost.port ?? (said.isTls ? 443 : undefined) },
    client,
    timeMs,
    request,
    status: Number(status),
    userAgent: said.userAgent,
    contentType: said.contentType,
  };
}

function readCaddy(entry: Fields): LogLine | undefined {
  const request = entry["request"] as Fields;
  return lineOf({
    client: first(request, ["client_ip", "remote_ip", "remote_addr"]),
    time: first(entry, ["ts"]),
    status: first(entry, ["status"]),
    request: `${String(request["method"])} ${String(request["uri"])}`,
    host: first(request, ["host"]),
    isTls: isObject(request["tls"]),
    userAgent: header(request["headers"], "user-agent") ?? "",
    contentType: header(entry["resp_headers"], "content-type"),
  });
}

function readTraefik(entry: Fields): LogLine | undefined {
  return lineOf({
    client: first(entry, ["ClientHost", "ClientAddr"]),
    time: first(entry, ["StartUTC", "time"]),
    status: first(entry, ["DownstreamStatus", "OriginStatus"]),
    request: `${String(entry["RequestMethod"])} ${String(entry["RequestPath"])}`,
    host: first(entry, ["RequestHost", "RequestAddr"]),
    isTls: "TLSVersion" in entry || entry["RequestScheme"] === "https",
    // Traefik leaves headers out unless it is told to keep them.
    userAgent: first(entry, ["request_User-Agent"]),
    contentType: first(entry, ["downstream_Content-Type", "origin_Content-Type"]),
  });
}

const CLIENT = ["remote_addr", "remote_ip", "client_ip", "clientip", "clientIp", "client", "remote_host", "ip"];
const TIME = ["time_iso8601", "time_local", "msec", "@timestamp", "timestamp", "time", "ts", "date"];
const TARGET = ["request_uri", "uri", "path", "url"];
const USER_AGENT = ["http_user_agent", "user_agent", "userAgent", "useragent", "agent"];
const HOST = ["host", "http_host", "server_name", "vhost", "domain"];

/** nginx writes what its `log_format` names: the variables' own names, and those that people choose in place of them. */
function readNginx(entry: Fields): LogLine | undefined {
  const whole = first(entry, ["request"]);
  const target = first(entry, TARGET);
  const method = first(entry, ["request_method", "method", "verb"]);
  const args = first(entry, ["args", "query_string"]);
  const isWhole = whole !== undefined && /^[A-Z]+ /.test(whole);
  const query = args === undefined || target?.includes("?") ? "" : `?${args}`;
  return lineOf({
    client: first(entry, CLIENT) ?? first(entry, ["http_x_forwarded_for", "x_forwarded_for"]),
    time: first(entry, TIME),
    status: first(entry, ["status", "response", "status_code", "code"]),
    request: isWhole ? whole : method && target?.startsWith("/") ? `${method} ${target}${query}` : undefined,
    host: first(entry, HOST),
    isTls: entry["scheme"] === "https" || first(entry, ["server_port"]) === "443",
    userAgent: first(entry, USER_AGENT) ?? (USER_AGENT.some((name) => name in entry) ? "" : undefined),
    contentType: first(entry, ["sent_http_content_type", "content_type"]),
  });
}
