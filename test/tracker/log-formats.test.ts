/* Formats of access logs that people have: found by their first lines, or named. */
import { describe, expect, it } from "vitest";
import { judgeLine, originFinder } from "../../host/tracker/import/access-log";
import { formatOf } from "../../host/tracker/import/line-format";
import { detectLogFormat, logFormatOf } from "../../host/tracker/import/log-formats";
import { parseIsoTime, parseUnixTime } from "../../host/tracker/import/log-time";

const AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0";
const AT = Date.UTC(2025, 10, 20, 10);
const CLF = "20/Nov/2025:10:00:00 +0000";
const json = (value: unknown): string => JSON.stringify(value);

const CADDY = json({
  level: "info",
  ts: AT / 1000 + 0.123,
  logger: "http.log.access",
  msg: "handled request",
  request: {
    remote_ip: "10.0.0.1",
    client_ip: "203.0.113.5",
    method: "GET",
    host: "shop.example",
    uri: "/a/?q=1",
    headers: { "User-Agent": [AGENT] },
    tls: { version: 772 },
  },
  status: 200,
  resp_headers: { "Content-Type": ["text/html; charset=utf-8"] },
});
const TRAEFIK = json({
  ClientHost: "203.0.113.5",
  ClientAddr: "203.0.113.5:40001",
  DownstreamStatus: 200,
  RequestHost: "shop.example",
  RequestMethod: "GET",
  RequestPath: "/a/?q=1",
  RequestScheme: "https",
  StartUTC: "2025-11-20T10:00:00.123456789Z",
  "request_User-Agent": AGENT,
});
const NGINX = json({
  time_iso8601: "2025-11-20T11:00:00+01:00",
  remote_addr: "203.0.113.5",
  request: "GET /a/?q=1 HTTP/1.1",
  status: "200",
  http_user_agent: AGENT,
  host: "shop.example",
  scheme: "https",
});
const NGINX_OWN_NAMES = json({
  "@timestamp": AT,
  client: "203.0.113.5",
  method: "GET",
  uri: "/a/",
  args: "q=1",
  status: 200,
  agent: AGENT,
  vhost: "shop.example:443",
});
const COMBINED = `203.0.113.5 - - [${CLF}] "GET /a/?q=1 HTTP/1.1" 200 512 "-" "${AGENT}"`;
const DOCKER = json({ log: `${COMBINED}\n`, stream: "stdout", time: "2025-11-20T10:00:00.1Z" });
const DOCKER_CADDY = json({ log: `${CADDY}\n`, stream: "stderr", time: "2025-11-20T10:00:00.1Z" });
const ALB = `https 2025-11-20T10:00:00.123456Z app/lb/50dc 203.0.113.5:40001 10.0.0.1:80 0.001 0.002 0.000 200 200 34 366 "GET https://shop.example:443/a/?q=1 HTTP/2.0" "${AGENT}" ECDHE TLSv1.2 arn`;
const ELB = `2025-11-20T10:00:00.123456Z lb 203.0.113.5:40001 10.0.0.1:80 0.001 0.002 0.000 200 200 34 366 "GET https://shop.example:443/a/?q=1 HTTP/1.1" "${AGENT}" ECDHE TLSv1.2`;
const IIS_FIELDS =
  "#Fields: date time cs-host cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status";
const IIS = `2025-11-20 10:00:00 shop.example GET /a/ q=1 443 - 203.0.113.5 ${AGENT.replaceAll(" ", "+")} 200`;
const CLOUDFRONT_FIELDS =
  "#Fields: date time x-edge-location c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent) cs-uri-query x-host-header cs-protocol";
const CLOUDFRONT = [
  ...["2025-11-20", "10:00:00", "FRA2", "203.0.113.5", "GET", "d1.cloudfront.net", "/a/", "200", encodeURI(AGENT)],
  ...["q=1", "shop.example", "https"],
].join("\t");

function read(lines: readonly string[], given?: string): unknown {
  const format = given === undefined ? detectLogFormat(lines) : logFormatOf(given);
  if (format === undefined) return undefined;
  const reader = format.reader(lines);
  const verdict = judgeLine(lines.at(-1)!, reader);
  if ("leftOut" in verdict) return { name: format.name, leftOut: verdict.leftOut };
  const { line, path } = verdict;
  const url = originFinder({})(line) + path;
  return { name: format.name, client: line.client, agent: line.userAgent, url, second: Math.floor(line.timeMs / 1000) };
}

const view = (url = "https://shop.example/a/?q=1") => ({
  client: "203.0.113.5",
  agent: AGENT,
  url,
  second: AT / 1000,
});

describe("a format that its lines tell", () => {
  it.each([
    ["Caddy", [CADDY]],
    ["Traefik", [TRAEFIK]],
    ["nginx JSON", [NGINX]],
    ["nginx JSON", [NGINX_OWN_NAMES]],
    ["Docker json-file", [DOCKER_CADDY]],
    ["AWS ALB", [ALB]],
    ["AWS ALB", [ELB]],
    ["W3C", ["#Software: Microsoft IIS 10.0", IIS_FIELDS, IIS]],
    ["CloudFront", ["#Version: 1.0", CLOUDFRONT_FIELDS, CLOUDFRONT]],
  ])("%s", (name, lines) => {
    expect(read(lines)).toEqual({ name, ...view() });
    expect(read(lines.map((line) => (line.startsWith("{") ? `web-1  | ${line}` : line)))).toEqual({ name, ...view() });
  });

  it("Docker around a combined log, whose host is not known", () => {
    expect(read([DOCKER])).toEqual({ name: "Docker json-file", ...view("http://access-log/a/?q=1") });
  });

  it.each([
    ["combined", COMBINED],
    ["common", `203.0.113.5 - - [${CLF}] "GET / HTTP/1.1" 200 5`],
    ["vhost_combined", `shop.example:443 ${COMBINED}`],
  ])("%s", (name, line) => expect(detectLogFormat(["#", line])?.name).toBe(name));

  it("other entries of a JSON log are left out", () => {
    const reader = detectLogFormat([CADDY])!.reader([]);
    for (const line of ['{"level":"info","msg":"serving"}', "{", "", '{"status":200,"request":{"uri":"/"}}', "null"]) {
      expect(judgeLine(line, reader), line).toEqual({ leftOut: "unparsable" });
    }
  });

  it("an address is no website, and a Content-Type decides what a page is", () => {
    const caddy = (request: object, type?: string): string => {
      const entry = JSON.parse(CADDY) as { request: object; resp_headers?: object };
      Object.assign(entry.request, request);
      entry.resp_headers = type === undefined ? {} : { "Content-Type": [type] };
      return json(entry);
    };
    expect(read([caddy({ host: "192.0.2.1" })])).toMatchObject({ url: "http://access-log/a/?q=1" });
    expect(read([caddy({ uri: "/feed" }, "application/rss+xml")])).toMatchObject({ leftOut: "static" });
    expect(read([caddy({ uri: "/Node.js" }, "text/html")])).toMatchObject({ url: "https://shop.example/Node.js" });
    expect(read([caddy({ uri: "/Node.js" })])).toMatchObject({ leftOut: "static" });
  });
});

describe("--log-format", () => {
  const request = `"GET /a/?q=1 HTTP/1.1"`;
  it.each([
    [
      `$host $remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent"`,
      `shop.example:443 203.0.113.5 [${CLF}] ${request} 200 12 "${AGENT}"`,
    ],
    [
      `$http_x_forwarded_for $time_iso8601 $scheme://$host$request_uri $request_method $status "$http_user_agent" rt=$request_time`,
      `203.0.113.5, 10.0.0.1 2025-11-20T10:00:00+00:00 https://shop.example/a/?q=1 GET 200 "${AGENT}" rt=0.1`,
    ],
    [
      `$msec|$remote_addr|\${host}|$server_port|$request_method|$uri$is_args$args|$status|$http_user_agent`,
      `${AT / 1000}.123|203.0.113.5|shop.example|443|GET|/a/?q=1|200|${AGENT}`,
    ],
    [
      `{"t":"$time_iso8601","who":"$remote_addr","what":"$request","code":$status,"ua":"$http_user_agent","h":"$host:$server_port"}`,
      `{"t":"2025-11-20T10:00:00+00:00","who":"203.0.113.5","what":"GET /a/?q=1 HTTP/1.1","code":200,"ua":"${AGENT}","h":"shop.example:443"}`,
    ],
    [String.raw`%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"`, `shop.example:443 ${COMBINED}`],
    [
      `%{X-Forwarded-For}i %{sec}t %V %p %m %U%q %s "%{User-Agent}i" %D`,
      `203.0.113.5 ${AT / 1000} shop.example 443 GET /a/?q=1 200 "${AGENT}" 1200`,
    ],
  ])("%s", (format, line) => {
    expect(read([line], format)).toEqual({ name: format, ...view() });
  });

  it.each([
    ["COMBINED", [COMBINED], "http://access-log/a/?q=1"],
    ["vcombined", [`shop.example:443 ${COMBINED}`], undefined],
    ["CADDY", [CADDY], undefined],
    ["traefik", [TRAEFIK], undefined],
    ["AWSALB", [ALB], undefined],
    ["aws-elb", [ELB], undefined],
    ["W3C", [IIS_FIELDS, IIS], undefined],
    ["CLOUDFRONT", [CLOUDFRONT_FIELDS, CLOUDFRONT], undefined],
  ])("takes the name %s", (name, lines, url) => expect(read(lines, name)).toMatchObject(view(url)));

  it.each([
    ["nonsense", /must be a format as nginx or Apache write it, or one of COMMON/],
    ["$time_local $request $status", /the client \(.*\) is missing/],
    ["%h %t %r", /the status \(.*\) is missing/],
    ["$remote_addr$time_local $request $status", /nothing stands between \$remote_addr and \$time_local/],
    ['%h %^[%d:%t %^] "%r" %s %b', /GoAccess's own notation/],
    ["%h %{%Y}t %r %s", /%\{%Y\}t is not understood/],
  ])("refuses %s", (format, message) => expect(() => logFormatOf(format)).toThrow(message));

  it("lines of another format are left out", () => {
    const reader = logFormatOf('$remote_addr [$time_local] "$request" $status').reader([]);
    expect(judgeLine(COMBINED, reader)).toEqual({ leftOut: "unparsable" });
    expect(judgeLine(`x.y.300 [${CLF}] ${request} 200`, reader)).toEqual({ leftOut: "unparsable" });
  });
});

describe("JSON that is not ours", () => {
  const foreign = json({ "@time": 1, srcip: "203.0.113.5", url: "http://x.example/", msg: "x" });

  it.each([undefined, "json"] as const)("is refused at once, with --format %s", (format) => {
    expect(() => formatOf([foreign, foreign], { format }, "x.log")).toThrow(
      /^x\.log is JSON, but neither events .* its fields are @time, srcip, url, msg\./,
    );
  });

  it("events are known by two of their fields", () => {
    const event = json({ url: "http://x.example/", uui: "d", dt: AT });
    expect(formatOf(['{"url": 5}', event], {}, "x")).toEqual({ kind: "json", name: "JSON lines" });
  });
});

describe("times", () => {
  it.each([
    ["2025-11-20T10:00:00Z", AT],
    ["2025-11-20T11:00:00+0100", AT],
    ["2025-11-20 10:00:00,250 +00:00", AT + 250],
    ["2025-11-20T10:00:00.123456789Z", AT + 123],
    ["2025-11-20T10:00:00", undefined],
    ["2025-13-20T10:00:00Z", undefined],
  ])("of ISO 8601: %s", (text, ms) => expect(parseIsoTime(text)).toBe(ms));

  it.each([
    [`${AT / 1000}`, AT],
    [`${AT / 1000}.250`, AT + 250],
    [`${AT}`, AT],
    [AT * 1000, AT],
    [`${AT}000000`, AT],
    ["12345", undefined],
    ["x", undefined],
  ])("of unix: %s", (text, ms) => expect(parseUnixTime(text)).toBe(ms));
});
