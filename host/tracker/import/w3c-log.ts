/** Logs that name their fields in a line of their own: W3C Extended Log Format, as IIS and CloudFront write it. */
import { clientOf, virtualHostOf } from "./client";
import type { LogLine, ReadLine } from "./log-line";

/** Whether a line names the fields of those after it. */
export const isFieldsLine = (line: string): boolean => /^\uFEFF?#Fields:/i.test(line);

/**
 * A reader of such a log.
 *
 * @param fieldsLine the line that names the fields; where another comes in the file, it holds from there on
 */
export function w3cReader(fieldsLine: string): ReadLine {
  let names = namesOf(fieldsLine);
  return (line) => {
    if (isFieldsLine(line)) names = namesOf(line);
    return line.startsWith("#") || line.startsWith("\uFEFF#") ? undefined : readFields(names, line);
  };
}

const namesOf = (line: string): string[] =>
  line
    .slice(line.indexOf(":") + 1)
    .trim()
    .toLowerCase()
    .split(/\s+/);

function readFields(names: readonly string[], line: string): LogLine | undefined {
  const values = line.split(line.includes("\t") ? "\t" : " ");
  if (values.length !== names.length) return undefined;
  const value = (...wanted: string[]): string | undefined => {
    const found = wanted.map((name) => values[names.indexOf(name)]).find((each) => each !== undefined && each !== "-");
    return found === "" ? undefined : found;
  };
  const client = clientOf(value("c-ip") ?? "");
  const timeMs = Date.parse(`${value("date")}T${value("time")?.slice(0, 8)}Z`);
  const [method, path, status] = [value("cs-method"), value("cs-uri-stem", "cs-uri"), value("sc-status")];
  if (client === undefined || Number.isNaN(timeMs) || !method || !path || !/^\d{3}$/.test(status ?? ""))
    return undefined;
  const query = value("cs-uri-query");
  // CloudFront's cs(Host) is its own; what the viewer asked for is x-host-header.
  const vhost = virtualHostOf(value("x-host-header", "cs-host", "cs(host)") ?? "");
  const port = Number(value("s-port") ?? NaN);
  const isTls = value("cs-protocol") === "https" || port === 443;
  return {
    vhost: vhost && { name: vhost.name, port: isTls ? 443 : vhost.port },
    client,
    timeMs,
    request: `${method} ${path}${query === undefined ? "" : `?${query}`}`,
    status: Number(status),
    userAgent: names.includes("cs(user-agent)") ? agentOf(value("cs(user-agent)") ?? "") : undefined,
    contentType: value("sc-content-type"),
  };
}

/** IIS writes `+` for a space, CloudFront `%20`. */
function agentOf(text: string): string {
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
