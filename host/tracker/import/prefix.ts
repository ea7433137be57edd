/** What carries a line of a log from the server to the file writes something before it: syslog, container runtimes, compose. */

const ISO = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)`;
const TAG = String.raw`[^\s:\[\]|]+(?:\[\d+\])?: `;

const PREFIX = [
  // RFC 5424: `<190>1 2025-11-20T10:00:00Z web1 nginx 812 - [data] `
  String.raw`<\d{1,3}>1 \S+ \S+ \S+ \S+ \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) \uFEFF?`,
  // RFC 3164, with and without host: `<190>Nov  9 10:00:00 web1 nginx[812]: `
  String.raw`(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:[^\s:]+ )?${TAG}`,
  // rsyslog and journalctl with times of ISO 8601
  String.raw`${ISO} \S+ ${TAG}`,
  // Kubernetes (CRI); a part of a line (`P`) is no line
  String.raw`${ISO} std(?:out|err) F `,
  // docker logs --timestamps
  String.raw`${ISO} (?!std(?:out|err) )`,
  // docker compose and swarm: `nginx.1 | `
  String.raw`[\w.@-]+ +\| `,
  // kubectl logs --prefix
  String.raw`\[pod/\S+\] `,
]
  .map((each) => `(?:${each})`)
  .join("|");
const ANCHORED = new RegExp(`^(?:${PREFIX})`);
const COLOUR = /\x1b\[[\d;]*m/g;

/** One carries the lines of another: a syslog in a container. */
const MAX_PREFIXES = 3;

/**
 * A line without what stands before it.
 *
 * @param line as it stands in the file
 * @returns the line as the server wrote it
 */
export function withoutPrefix(line: string): string {
  let rest = line.charCodeAt(0) === 0xfeff ? line.slice(1) : line;
  if (rest.includes("\x1b")) rest = rest.replace(COLOUR, "");
  for (let count = 0; count < MAX_PREFIXES; count += 1) {
    const match = ANCHORED.exec(rest);
    if (match === null) break;
    rest = rest.slice(match[0].length);
  }
  return rest;
}
