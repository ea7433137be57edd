/* Who asked and which site was asked: whatever stands before the time of a line, it never becomes the client. */
import { describe, expect, it } from "vitest";
import { judgeLine, originFinder } from "../../host/tracker/import/access-log";
import { readHead } from "../../host/tracker/import/client";
import { parseLogLine } from "../../host/tracker/import/log-line";

const REST =
  '[20/Nov/2025:10:00:00 +0000] "GET /a/ HTTP/1.1" 200 512 "-" "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"';
const CLIENTS = ["203.0.113.5", "203.0.113.6", "2001:db8::7"];

/** The client of a line, and the site that it counts for. */
function read(head: string): { client: string; site: string } | undefined {
  const line = parseLogLine(`${head} ${REST}`);
  return line && { client: line.client, site: originFinder({})(line) };
}

describe("what stands before a line", () => {
  it.each([
    "Nov 20 10:00:00 web1 nginx: ",
    "Nov  9 10:00:00 web1 nginx: ",
    "<190>Nov 20 10:00:00 web1 nginx: ",
    "<190>Nov 20 10:00:00 nginx: ",
    "Nov 20 10:00:00 web1 nginx[812]: ",
    "Nov 20 10:00:00 203.0.113.99 nginx: ",
    "<190>1 2025-11-20T10:00:00.123456+01:00 web1 nginx 812 - - ",
    String.raw`<190>1 2025-11-20T10:00:00Z web1 nginx - ID47 [a@1 b="c\"\]"][d@2] `,
    "<190>1 2025-11-20T10:00:00Z web1 nginx - - - \uFEFF",
    "2025-11-20T10:00:00.123456+00:00 web1 nginx: ",
    "2025-11-20T10:00:00+0000 web1 nginx[812]: ",
    "2025-11-20T10:00:00.123456789Z stdout F ",
    "2025-11-20T10:00:00.123456789Z ",
    "nginx.1 | ",
    "nginx-1  | ",
    "web_nginx.1.abc123@node1    | ",
    "\x1b[36mnginx-1  | \x1b[0m",
    "[pod/nginx-7f9c/nginx] ",
    "\uFEFF",
    "web-1  | 2025-11-20T10:00:00Z ",
    "2025-11-20T10:00:00Z stdout F Nov 20 10:00:00 web1 nginx: ",
  ])("%j is passed over, and every client is its own", (prefix) => {
    for (const client of CLIENTS) {
      expect(read(`${prefix}${client} - -`)).toEqual({ client, site: "http://access-log" });
      expect(read(`${prefix}www.shop.example:443 ${client}:40001 - frank`)).toEqual(
        client.includes("::") ? undefined : { client, site: "https://www.shop.example" },
      );
    }
  });

  it.each([
    "2025-11-20T10:00:00.123456789Z stdout P ",
    "access.log:",
    "10:00:00 web1 ",
    "web1 nginx access ",
    "[web1] ",
    "web1 - ",
    "2025/11/20 10:00:00 ",
    "info: ",
    "level=info msg=",
    "203.0.113.99 ",
  ])("%j is not known: the line is left out", (prefix) => {
    for (const client of CLIENTS) expect(read(`${prefix}${client} - -`)).toBeUndefined();
    expect(judgeLine(`${prefix}203.0.113.5 - - ${REST}`)).toEqual({ leftOut: "unparsable" });
  });
});

describe("host and client", () => {
  it.each([
    ["203.0.113.5 - -", "203.0.113.5", "access-log"],
    ["203.0.113.5 - frank", "203.0.113.5", "access-log"],
    ["203.0.113.5 - John Q Smith", "203.0.113.5", "access-log"],
    ["203.0.113.5 - ", "203.0.113.5", "access-log"],
    ["203.0.113.5 frank -", "203.0.113.5", "access-log"],
    ["203.0.113.5:40001 - -", "203.0.113.5", "access-log"],
    ["[2001:db8::5]:40001 - -", "2001:db8::5", "access-log"],
    ["[2001:db8::5] - -", "2001:db8::5", "access-log"],
    ["2001:DB8::5 - -", "2001:db8::5", "access-log"],
    ["::ffff:203.0.113.5 - -", "203.0.113.5", "access-log"],
    ["fe80::a00:27ff:fe12:1%enp0s8 - -", "fe80::a00:27ff:fe12:1", "access-log"],
    ["203.0.113.5, 10.0.0.1 - -", "203.0.113.5", "access-log"],
    ["203.0.113.5,10.0.0.1 - -", "203.0.113.5", "access-log"],
    ["203.0.113.5:40001, 10.0.0.1, 10.0.0.2 - -", "203.0.113.5", "access-log"],
    ["www.shop.example 203.0.113.5, 10.0.0.1 - -", "203.0.113.5", "www.shop.example"],
    ["www.shop.example 203.0.113.5 - -", "203.0.113.5", "www.shop.example"],
    ["www.shop.example 203.0.113.5 -", "203.0.113.5", "www.shop.example"],
    ["www.shop.example:80 203.0.113.5:40001 - -", "203.0.113.5", "www.shop.example"],
    ["www.shop.example:8080 [2001:db8::5]:40001 - -", "2001:db8::5", "www.shop.example:8080"],
    ["www.shop.example fe80::1%eth0 - -", "fe80::1", "www.shop.example"],
    ["www.shop.example client-1.isp.example - -", "client-1.isp.example", "www.shop.example"],
    ["www.shop.example client-1.isp.example - John Smith", "client-1.isp.example", "www.shop.example"],
    ["client-1.isp.example - -", "client-1.isp.example", "access-log"],
    ["localhost - -", "localhost", "access-log"],
    ["_ 203.0.113.5 - -", "203.0.113.5", "access-log"],
    ["my_shop:80 203.0.113.5 - -", "203.0.113.5", "my_shop"],
    ["localhost:3000 203.0.113.5 - -", "203.0.113.5", "localhost:3000"],
    ["[2001:db8::1]:443 203.0.113.5 - -", "203.0.113.5", "access-log"],
    ["192.0.2.1:80 203.0.113.5 - -", "203.0.113.5", "access-log"],
  ])("%j: client %s of http(s)://%s", (head, client, site) => {
    expect(read(head)).toEqual({ client, site: `http://${site}` });
  });

  it.each([
    "203.0.113.5 www.shop.example -",
    "203.0.113.5 www.shop.example frank",
    "203.0.113.5 10.0.0.1 - -",
    "203.0.113.5:40001 10.0.0.1 - -",
    "[2001:db8::5]:40001 10.0.0.1 - -",
    "client-1.isp.example www.shop.example -",
    "unknown, 203.0.113.5 - - -",
    "- - -",
    "unix: - -",
    "203.0.113 - -",
    "203.0.113.500 - -",
    "2001:db8:::5 - -",
    "www.shop.example:99999 203.0.113.5 - -",
    "www_.shop..example 203.0.113.5 - -",
    "www.shop.example - 203.0.113.5 -",
    "www.shop.example - 203.0.113.5",
    "www.shop.example client-1.isp.example frank -",
    "203.0.113.5",
    "203.0.113.5 -",
    "",
  ])("%j does not say who asked: the line is left out", (head) => {
    expect(readHead(head)).toBeUndefined();
    expect(read(head)).toBeUndefined();
  });
});
