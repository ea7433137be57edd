/** The formats of access logs: which there are by name, and which one a file has by its first lines. */
import { UserError } from "../../runtime/errors";
import { clientOf, virtualHostOf } from "./client";
import { jsonLogReader, nameOfEntry, objectOf } from "./json-log";
import { parseLogLine, type ReadLine } from "./log-line";
import { compilePattern } from "./log-pattern";
import { parseIsoTime } from "./log-time";
import { withoutPrefix } from "./prefix";
import { isFieldsLine, w3cReader } from "./w3c-log";

/** A format of access logs. */
export interface LogFormat {
  /** For people. */
  name: string;
  /** Makes a reader, from the first lines of the file where the format is written in them. */
  reader: (lines: readonly string[]) => ReadLine;
}

const standard = (name: string): LogFormat => ({ name, reader: () => parseLogLine });

const json = (name: string): LogFormat => ({
  name,
  reader: () => {
    const read = jsonLogReader(parseLogLine);
    return (text) => read(withoutPrefix(text));
  },
});

const w3c = (name: string): LogFormat => ({
  name,
  reader: (lines) => w3cReader(lines.find(isFieldsLine) ?? "#Fields:"),
});

// `type time balancer client:port target:port 3 times 2 statuses 2 sizes "request" "user agent" …`; classic balancers have no type.
const BALANCER =
  /^(?:(?:https?|h2|wss?|grpcs?) )?(\S+Z) \S+ (\S+) \S+ [\d.-]+ [\d.-]+ [\d.-]+ (\d{3}|-) \S+ \d+ \d+ "([A-Z]+) (\S+) [^"]*" "([^"]*)"/;

const balancer = (name: string): LogFormat => ({
  name,
  reader: () => (line) => {
    const match = BALANCER.exec(line);
    if (match === null) return undefined;
    const [, time, from, status, method, url, userAgent] = match;
    const [client, timeMs] = [clientOf(from!), parseIsoTime(time!)];
    if (client === undefined || timeMs === undefined || status === "-" || !URL.canParse(url!)) return undefined;
    const { protocol, host } = new URL(url!);
    const vhost = virtualHostOf(host);
    return {
      vhost: vhost && { name: vhost.name, port: protocol === "https:" ? (vhost.port ?? 443) : vhost.port },
      client,
      timeMs,
      request: `${method} ${url}`,
      status: Number(status),
      userAgent,
    };
  },
});

/** By the names that GoAccess has for them, and by those of the programs that write them. */
const NAMED: Readonly<Record<string, LogFormat>> = {
  COMMON: standard("common"),
  VCOMMON: standard("vhost_common"),
  COMBINED: standard("combined"),
  VCOMBINED: standard("vhost_combined"),
  TRAEFIKCLF: standard("combined"),
  CADDY: json("Caddy"),
  TRAEFIK: json("Traefik"),
  NGINXJSON: json("nginx JSON"),
  DOCKER: json("Docker json-file"),
  W3C: w3c("W3C"),
  CLOUDFRONT: w3c("CloudFront"),
  AWSALB: balancer("AWS ALB"),
  AWSELB: balancer("AWS ELB"),
};

/**
 * The format that an option names.
 *
 * @param given one of the names, or a format in the notation of nginx (`$remote_addr …`) or Apache (`%h …`)
 * @throws UserError for anything else
 */
export function logFormatOf(given: string): LogFormat {
  const named = NAMED[given.toUpperCase().replaceAll(/[-_ ]/g, "")];
  if (named !== undefined) return named;
  if (!/[$%][{\w>^]/.test(given)) {
    const names = Object.keys(NAMED).join(", ");
    throw new UserError(
      `--log-format must be a format as nginx or Apache write it, or one of ${names}, got '${given}'`,
    );
  }
  const read = compilePattern(given);
  return { name: given, reader: () => read };
}

/**
 * Tells the format of a log from the first lines of a file.
 *
 * @returns undefined where none of them is a line of a format that is known
 */
export function detectLogFormat(lines: readonly string[]): LogFormat | undefined {
  for (const line of lines) {
    if (isFieldsLine(line)) return NAMED[/x-edge-location/i.test(line) ? "CLOUDFRONT" : "W3C"];
    const parsed = parseLogLine(line);
    if (parsed !== undefined) {
      const format = parsed.userAgent === undefined ? "common" : "combined";
      return standard(parsed.vhost === undefined ? format : `vhost_${format}`);
    }
    const entry = objectOf(withoutPrefix(line));
    const name = entry && nameOfEntry(entry);
    if (name !== undefined && json(name).reader([])(line) !== undefined) return json(name);
    if (NAMED["AWSALB"]!.reader([])(line) !== undefined) return NAMED["AWSALB"];
  }
  return undefined;
}

/** Reads lines of the format that the first line which makes sense has. */
export function anyLogReader(): ReadLine {
  let read: ReadLine | undefined;
  return (line) => {
    const format = read === undefined ? detectLogFormat([line]) : undefined;
    read ??= format?.reader([line]);
    return read?.(line);
  };
}
