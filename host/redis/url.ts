/** The address of a Redis: one server, a cluster, or servers watched by sentinels. */
import { UserError } from "../runtime/errors";

export interface Endpoint {
  host: string;
  port: number;
}

export interface Credentials {
  username?: string;
  password?: string;
}

export interface ServerUrl {
  kind: "single" | "cluster" | "sentinel";
  /** The server; or some nodes of the cluster; or the sentinels. */
  nodes: Endpoint[];
  tls: boolean;
  /** Of the servers with the data. */
  credentials: Credentials;
  database: number;
  /** How the sentinels call the primary; empty unless `kind` is `sentinel`. */
  masterName: string;
  sentinelCredentials: Credentials;
  /** The URL as it may be shown: without credentials. */
  shown: string;
}

const FORMS =
  "redis://host:port/db, rediss://…, redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/master-name";
const KINDS: Record<string, ServerUrl["kind"]> = { "": "single", "+cluster": "cluster", "+sentinel": "sentinel" };
const DEFAULT_PORTS = { single: 6379, cluster: 6379, sentinel: 26379 };

/** `host:port`, with brackets around an IPv6 address. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The URL without user name and password, for messages and logs.
 *
 * @param url also one that cannot be parsed
 */
export function redactUrl(url: string): string {
  return url.replace(/\/\/.*@/s, "//***@").replace(/(password=)[^&]*/gi, "$1***");
}

/**
 * Reads a Redis URL.
 *
 * @param url `redis[s]://[user:password@]host[:port][/db]`, `redis[s]+cluster://[user:password@]host[:port],…`, or
 *   `redis[s]+sentinel://[user:password@]host[:port],…/master-name[/db][?username=…&password=…]`, where the query holds
 *   the credentials of the sentinels; user names and passwords are percent-encoded
 * @throws UserError that says what is wrong, without the secrets
 */
export function parseServerUrl(url: string): ServerUrl {
  const shown = redactUrl(url);
  const match = /^redis(s?)(|\+cluster|\+sentinel):\/\/(?:([^/?]*)@)?([^/?@]*)((?:\/[^?]*)?)(?:\?(.*))?$/s.exec(url);
  if (!match) throw new UserError(`'${shown}' is not a Redis URL (${FORMS})`);
  const [, secure, suffix, userInfo, hosts, path, query] = match;
  const kind = KINDS[suffix!]!;
  const nodes = hosts!.split(",").map((each) => parseEndpoint(each, DEFAULT_PORTS[kind], shown));
  if (kind === "single" && nodes.length > 1) {
    throw new UserError(`'${shown}' names several servers, and for a cluster must start with redis+cluster://`);
  }
  const segments = path!
    .split("/")
    .slice(1)
    .filter((segment) => segment !== "");
  const masterName = kind === "sentinel" ? decode(segments.shift() ?? "", shown) : "";
  if (kind === "sentinel" && masterName === "") {
    throw new UserError(`'${shown}' lacks the master's name: redis+sentinel://host:port,host:port/master-name`);
  }
  return {
    kind,
    nodes,
    tls: secure === "s",
    credentials: parseUserInfo(userInfo, shown),
    database: parseDatabase(segments, kind, shown),
    masterName,
    sentinelCredentials: parseQuery(query, kind, shown),
    shown,
  };
}

function parseEndpoint(text: string, defaultPort: number, shown: string): Endpoint {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (!match || port < 1 || port > 65535) throw new UserError(`'${shown}': '${text}' is not host:port`);
  return { host: (match[1] ?? match[2])!, port };
}

function parseUserInfo(userInfo: string | undefined, shown: string): Credentials {
  if (!userInfo) return {};
  const colon = userInfo.indexOf(":");
  const username = decode(colon < 0 ? userInfo : userInfo.slice(0, colon), shown);
  const password = colon < 0 ? undefined : decode(userInfo.slice(colon + 1), shown);
  return { ...(username && { username }), ...(password !== undefined && { password }) };
}

function parseDatabase(segments: string[], kind: ServerUrl["kind"], shown: string): number {
  const [text = "0", ...more] = segments;
  if (more.length > 0 || !/^\d{1,6}$/.test(text)) {
    throw new UserError(`'${shown}': '${segments.join("/")}' is not the number of a database`);
  }
  if (kind === "cluster" && Number(text) !== 0) throw new UserError(`'${shown}': a cluster has database 0 only`);
  return Number(text);
}

function parseQuery(query: string | undefined, kind: ServerUrl["kind"], shown: string): Credentials {
  const credentials: Credentials = {};
  for (const [name, value] of new URLSearchParams(query ?? "")) {
    if (kind !== "sentinel" || (name !== "username" && name !== "password")) {
      throw new UserError(`'${shown}': unknown parameter '${name}'`);
    }
    credentials[name] = value;
  }
  return credentials;
}

function decode(text: string, shown: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UserError(`'${shown}': user name, password and master name must be percent-encoded`);
  }
}
