/** Log formats in the notation of nginx (`log_format`) or Apache (`LogFormat`), compiled to a reader of lines. */
import { UserError } from "../../runtime/errors";
import { clientOf, virtualHostOf } from "./client";
import { parseLogTime, type LogLine, type ReadLine } from "./log-line";
import { parseIsoTime, parseUnixTime } from "./log-time";
import { withoutPrefix } from "./prefix";

/** What a field of a line tells. */
type Meaning =
  | "host"
  | "port"
  | "scheme"
  | "client"
  | "forwarded"
  | "user"
  | "clf time"
  | "iso time"
  | "unix time"
  | "request"
  | "method"
  | "target"
  | "path"
  | "query"
  | "status"
  | "userAgent"
  | "contentType"
  | "other";

const NGINX: Readonly<Record<string, Meaning>> = {
  remote_addr: "client",
  realip_remote_addr: "client",
  proxy_protocol_addr: "client",
  http_x_forwarded_for: "forwarded",
  proxy_add_x_forwarded_for: "forwarded",
  http_x_real_ip: "forwarded",
  remote_user: "user",
  time_local: "clf time",
  time_iso8601: "iso time",
  msec: "unix time",
  request: "request",
  request_method: "method",
  request_uri: "target",
  uri: "path",
  document_uri: "path",
  args: "query",
  query_string: "query",
  status: "status",
  host: "host",
  http_host: "host",
  server_name: "host",
  server_port: "port",
  scheme: "scheme",
  http_user_agent: "userAgent",
  sent_http_content_type: "contentType",
  content_type: "other",
};

const APACHE: Readonly<Record<string, Meaning>> = {
  h: "client",
  a: "client",
  u: "user",
  t: "clf time",
  r: "request",
  m: "method",
  U: "path",
  q: "query",
  s: "status",
  v: "host",
  V: "host",
  p: "port",
};

const APACHE_NAMED: Readonly<Record<string, Meaning>> = {
  "x-forwarded-for i": "forwarded",
  "x-real-ip i": "forwarded",
  "user-agent i": "userAgent",
  "host i": "host",
  "content-type o": "contentType",
  "c a": "client",
  "sec t": "unix time",
  "msec t": "unix time",
  "usec t": "unix time",
};

interface Field {
  name: string;
  meaning: Meaning;
}

/** Text that stands in each line as it is, and fields. */
type Part = string | Field;

/** Strings in a configuration escape quotes. */
const unescaped = (text: string): string => text.replace(/\\(["'\\])/g, "$1").replaceAll("\\t", "\t");

function partsOf(format: string, pattern: RegExp, fieldOf: (match: RegExpMatchArray) => Part): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of format.matchAll(pattern)) {
    parts.push(format.slice(from, match.index), fieldOf(match));
    from = match.index + match[0].length;
  }
  parts.push(format.slice(from));
  return parts.filter((part) => part !== "");
}

function nginxParts(format: string): Part[] {
  return partsOf(format, /\$(?:\{(\w+)\}|(\w+))/g, ([, braced, bare]) => {
    const name = braced ?? bare!;
    return { name: `$${name}`, meaning: NGINX[name] ?? "other" };
  });
}

function apacheParts(format: string): Part[] {
  return partsOf(format, /%(?:%|[!\d,<>]*(?:\{([^}]*)\})?[!\d,<>]*(\^?[A-Za-z]{1,2}))/g, ([all, named, letter]) => {
    if (letter === undefined) return "%";
    const meaning = named === undefined ? APACHE[letter] : APACHE_NAMED[`${named.toLowerCase()} ${letter}`];
    if (named !== undefined && letter === "t" && meaning === undefined) {
      throw new UserError(`--log-format: ${all} is not understood; %t, %{sec}t, %{msec}t and %{usec}t are`);
    }
    return { name: all, meaning: meaning ?? "other" };
  }).flatMap((part) => (typeof part !== "string" && part.name === "%t" ? ["[", part, "]"] : [part]));
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

/** What a field may hold, by what stands before and after it. */
function contentOf({ meaning }: Field, before: Part | undefined, after: Part | undefined): string {
  if (meaning === "clf time") return String.raw`\d{2}/[A-Za-z]{3}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}`;
  const next = typeof after === "string" ? after[0]! : undefined;
  if (next === '"' && typeof before === "string" && before.endsWith('"')) return String.raw`[^"\\]*(?:\\.[^"\\]*)*`;
  if (after === undefined) return ".*";
  if (next === undefined && meaning === "host") return String.raw`[^/\s"]*`;
  if (next === undefined) return meaning === "path" ? String.raw`[^?\s"]*` : String.raw`\??`;
  const other = `[^${escapeRegExp(next)}]`;
  if (next === " " && (meaning === "client" || meaning === "forwarded")) return String.raw`[^ ,]+(?:, ?[^ ,]+)*`;
  return next === " " && meaning === "user" ? ".*?" : `${other}*`;
}

/** Two fields with nothing between them cannot be told apart, but for a path and its query, and a host and its path. */
function requireBetween(part: Part, after: Part | undefined): void {
  if (typeof part === "string" || after === undefined || typeof after === "string") return;
  if (part.meaning === "host" && (after.meaning === "target" || after.meaning === "path")) return;
  if (part.meaning === "path" || part.name === "$is_args") return;
  throw new UserError(`--log-format: nothing stands between ${part.name} and ${after.name}`);
}

const NEEDED: readonly [string, readonly Meaning[]][] = [
  ["the client ($remote_addr, %h)", ["client", "forwarded"]],
  ["the time ($time_local, $time_iso8601, $msec, %t)", ["clf time", "iso time", "unix time"]],
  ["the request ($request, $request_uri, $uri, %r, %U)", ["request", "target", "path"]],
  ["the status ($status, %s)", ["status"]],
];

/**
 * Compiles a format. Further fields at the end of a line are ignored.
 *
 * @param format as it stands in the server's configuration, without the quotes around it
 * @throws UserError where a field that is needed is missing, or fields cannot be told apart
 */
export function compilePattern(format: string): ReadLine {
  const text = unescaped(format);
  if (/%\^|%d.*%t|%x/.test(text)) {
    throw new UserError("--log-format: GoAccess's own notation is not understood; give nginx's or Apache's, or a name");
  }
  const parts = /\$[{\w]/.test(text) ? nginxParts(text) : apacheParts(text);
  const fields = parts.filter((part): part is Field => typeof part !== "string");
  for (const [what, meanings] of NEEDED) {
    if (!fields.some(({ meaning }) => meanings.includes(meaning))) {
      throw new UserError(`--log-format: ${what} is missing in '${format}'`);
    }
  }
  parts.forEach((part, at) => requireBetween(part, parts[at + 1]));
  const source = parts.map((part, at) =>
    typeof part === "string" ? escapeRegExp(part) : `(${contentOf(part, parts[at - 1], parts[at + 1])})`,
  );
  const pattern = new RegExp(`^${source.join("")}(?: .*)?$`, "s");
  return (line) => {
    const match = pattern.exec(withoutPrefix(line));
    if (match === null) return undefined;
    const said = new Map<Meaning, string>();
    fields.forEach(({ meaning }, at) => {
      const value = match[at + 1]!;
      if (value !== "" && value !== "-" && !said.has(meaning)) said.set(meaning, value);
    });
    return lineOf(said);
  };
}

function lineOf(said: ReadonlyMap<Meaning, string>): LogLine | undefined {
  const client = clientOf(said.get("client") ?? said.get("forwarded") ?? "");
  const timeMs = timeOf(said);
  const status = said.get("status");
  if (client === undefined || timeMs === undefined || status === undefined || !/^\d{3}$/.test(status)) return undefined;
  const host = virtualHostOf(said.get("host") ?? "");
  const port = said.get("port");
  const portOf =
    port !== undefined && /^\d{1,5}$/.test(port) ? Number(port) : said.get("scheme") === "https" ? 443 : undefined;
  return {
    vhost: host && { name: host.name, port: host.port ?? portOf },
    client,
    timeMs,
    request: said.get("request") ?? `${said.get("method") ?? "GET"} ${targetOf(said)}`,
    status: Number(status),
    userAgent: said.get("userAgent"),
    contentType: said.get("contentType"),
  };
}

function targetOf(said: ReadonlyMap<Meaning, string>): string {
  const query = said.get("query")?.replace(/^\?/, "");
  return said.get("target") ?? `${said.get("path") ?? ""}${query === undefined ? "" : `?${query}`}`;
}

function timeOf(said: ReadonlyMap<Meaning, string>): number | undefined {
  const [clf, iso, unix] = [said.get("clf time"), said.get("iso time"), said.get("unix time")];
  if (clf !== undefined) return parseLogTime(clf);
  return iso !== undefined ? parseIsoTime(iso) : parseUnixTime(unix ?? "");
}
