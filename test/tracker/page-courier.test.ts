import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { ServerResponse } from "node:http";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { AddressPolicy, parseRange, type Resolve } from "../../host/fetch/addresses";
import { PageCourier, type CourierHooks } from "../../host/tracker/enrichment/courier";
import { PageFailure } from "../../host/fetch/failure";
import { Politeness } from "../../host/fetch/politeness";
import { enrichmentSchema } from "../../host/tracker/enrichment/settings";
import { ManualClock, stopMachineClock } from "../support/clock";
import { until } from "../support/wait";
import { html, page, startSite, type TestSite } from "../support/web";

const NOON = Date.UTC(2026, 10, 20, 12);
const NEVER = new AbortController().signal;

/** A courier that may fetch from the given sites. */
function courierFor(sites: Pick<TestSite, "port">[], settings: object = {}, hooks: CourierHooks = {}): PageCourier {
  const own = { allow: ["127.0.0.0/8"], ports: sites.map(({ port }) => port), ...settings };
  return new PageCourier(enrichmentSchema.parse(own), hooks);
}

const collect = (courier: PageCourier, url: string, articleId = "") => courier.collect({ url, articleId }, NEVER);

/** Why a page could not be had. */
async function failure(collected: Promise<unknown>): Promise<PageFailure> {
  const error: unknown = await collected.then(
    (found) => new Error(`found ${JSON.stringify(found)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PageFailure)) throw error;
  return error;
}

async function failureOf(handler: Parameters<typeof startSite>[0], settings: object = {}): Promise<PageFailure> {
  const site = await startSite(handler);
  return failure(collect(courierFor([site], settings), `${site.host}/x`));
}

describe("a page", () => {
  it("is fetched by http where there is no https, and https is not tried again", async () => {
    const site = await startSite((_request, response) => html(response, page("Title")));
    let connections = 0;
    const resolve: Resolve = (_name, _options, callback) => {
      connections += 1;
      callback(null, [{ address: "127.0.0.1", family: 4 }]);
    };
    const courier = courierFor([site], { robots: false }, { resolve });
    const expected = { title: "Title", kicker: undefined, displayDate: NOON };
    expect(await collect(courier, `site.example:${site.port}/news/1.html`)).toEqual(expected);
    expect(connections).toBe(2);
    expect(await collect(courier, `site.example:${site.port}/news/2.html`)).toEqual(expected);
    expect(connections).toBe(3);
    expect(site.requests).toEqual(["/news/1.html", "/news/2.html"]);
  });

  it("is asked for as a robot that says who it is", async () => {
    const headers: Record<string, unknown>[] = [];
    const site = await startSite((request, response) => {
      headers.push(request.headers);
      html(response, page("x"));
    });
    await collect(courierFor([site], { contact: "https://example.org/robot" }), `${site.host}/`);
    await collect(courierFor([site]), `${site.host}/`);
    expect(headers[0]).toMatchObject({
      "user-agent": expect.stringMatching(/^Hotpath\/\d+\.\d+\.\d+ \(\+https:\/\/example\.org\/robot\)$/) as string,
      accept: expect.stringContaining("text/html") as string,
      "accept-encoding": "gzip, deflate, br",
      host: site.host,
    });
    expect(headers[1]!["user-agent"]).toMatch(/^Hotpath\/[\d.]+$/);
  });

  it("without a type is taken for HTML, and anything else is refused", async () => {
    const site = await startSite((request, response) => {
      const type = decodeURIComponent(request.url!.slice(1));
      if (type !== "") response.setHeader("content-type", type);
      response.end(page("x"));
    });
    const courier = courierFor([site], { robots: false });
    for (const type of ["", "text/html", "TEXT/HTML;charset=utf-8", "application/xhtml+xml"]) {
      expect((await collect(courier, `${site.host}/${encodeURIComponent(type)}`)).title).toBe("x");
    }
    for (const type of ["application/pdf", "image/png", "text/plain", "text/html2", "application/json"]) {
      const { reason, passing } = await failure(collect(courier, `${site.host}/${encodeURIComponent(type)}`));
      expect({ reason, passing }).toEqual({ reason: "type", passing: false });
    }
  });

  it("in the charset that the header names, or that it names itself, or in none", async () => {
    const site = await startSite((request, response) => {
      const latin = Buffer.from(page("Été").replace("<head>", "<head><!--x-->"), "latin1");
      if (request.url === "/latin") return html(response, latin, { "content-type": "text/html; charset=latin1" });
      if (request.url === "/1252")
        return html(response, Buffer.concat([Buffer.from(`<meta charset="windows-1252">`), latin]), {
          "content-type": "text/html",
        });
      if (request.url === "/16")
        return html(response, Buffer.from(`\ufeff${page("Été")}`, "utf16le"), { "content-type": "text/html" });
      if (request.url === "/bom")
        return html(response, `\ufeff${page("Été")}`, { "content-type": "text/html; charset=latin1" });
      if (request.url === "/wrong") return html(response, Buffer.from(page("a\xe9"), "latin1"));
      return html(response, latin, { "content-type": "text/html" });
    });
    const courier = courierFor([site]);
    for (const path of ["latin", "1252", "16", "bom", "none"]) {
      expect((await collect(courier, `${site.host}/${path}`)).title, path).toBe("Été");
    }
    expect((await collect(courier, `${site.host}/wrong`)).title).toBe("a\ufffd");
  });

  it("without a title fails for good", async () => {
    const { reason, passing } = await failureOf((_request, response) => html(response, "<p>nothing</p>"));
    expect({ reason, passing }).toEqual({ reason: "no title", passing: false });
  });

  it("that is no address fails for good", async () => {
    const courier = courierFor([{ port: 80 }]);
    for (const url of ["", "[x", "a b/", "user:secret@127.0.0.1/"]) {
      const { reason, passing } = await failure(collect(courier, url));
      expect({ url, reason, passing }).toEqual({ url, reason: "url", passing: false });
    }
  });
});

describe("bytes", () => {
  const codings: [string, (text: string) => Buffer][] = [
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["br", brotliCompressSync],
    ["identity", Buffer.from],
  ];
  it.each(codings)("in %s", async (encoding, compress) => {
    const site = await startSite((_request, response) =>
      html(response, compress(`${page("x")}${"text ".repeat(10_000)}`), { "content-encoding": encoding }),
    );
    expect((await collect(courierFor([site]), `${site.host}/`)).title).toBe("x");
  });

  it("in an encoding that nobody asked for, or broken, fail", async () => {
    const unknown = await failureOf((_request, response) => html(response, "x", { "content-encoding": "zstd" }));
    expect(unknown).toMatchObject({ reason: "encoding", passing: false });
    const broken = await failureOf((_request, response) => html(response, page("x"), { "content-encoding": "gzip" }));
    expect(broken).toMatchObject({ reason: "encoding", passing: true });
  });

  it("are not read beyond the head if that has all", async () => {
    let closed = false;
    const site = await startSite((_request, response) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.once("close", () => (closed = true));
      // No end: a reader that wants one waits for ever.
      response.write(page("x").padEnd(2000));
    });
    expect((await collect(courierFor([site]), `${site.host}/`)).title).toBe("x");
    await until(() => closed);
  });

  it("are read up to the limit and no further, and what was found by then counts", async () => {
    const site = await startSite((request, response) => endless(response, request.url === "/late" ? 70_000 : 30_000));
    const courier = courierFor([site], { maxBytes: 65_536 });
    expect((await collect(courier, `${site.host}/early`)).title).toBe("x");
    expect(await failure(collect(courier, `${site.host}/late`))).toMatchObject({ reason: "no title", passing: false });
    await until(() => site.underWay === 0, { what: "the connections to be closed" });
  });

  it("are counted when they are unfolded: a bomb does not go off", async () => {
    const bomb = gzipSync(Buffer.concat([Buffer.alloc(100_000_000, " "), Buffer.from("<title>late</title>")]));
    // Not stopped by the limit of what comes over the wire.
    expect(bomb.length).toBeLessThan(500_000);
    const found = await failureOf((_request, response) => html(response, bomb, { "content-encoding": "gzip" }));
    expect(found.reason).toBe("no title");
  });

  it("that unfold to nothing are counted too", async () => {
    const nothing = Buffer.concat(Array.from({ length: 1000 }, () => gzipSync("")));
    const site = await startSite((_request, response) => {
      response.writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" });
      const send = (): void => {
        while (!response.destroyed && response.write(nothing));
        if (!response.destroyed) response.once("drain", send);
      };
      send();
    });
    expect((await failure(collect(courierFor([site]), `${site.host}/`))).reason).toBe("no title");
  });

  it("of a head that is too large fail", async () => {
    const found = await failureOf((_request, response) => html(response, page("x"), { "x-much": "y".repeat(200_000) }));
    expect(found).toMatchObject({ reason: "protocol", passing: true });
  });
});

/** A page that never ends, with its title after so many bytes. */
function endless(response: ServerResponse, before: number): void {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.write(`${" ".repeat(before)}<title>x</title>`);
  const more = (): void => {
    while (!response.destroyed && response.write(" ".repeat(10_000)));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

describe("answers", () => {
  it.each([
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [408, true],
    [410, false],
    [425, true],
    [429, true],
    [451, false],
    [500, true],
    [503, true],
    [599, true],
    [304, false],
  ])("with status %i: another try may help is %s", async (status, passing) => {
    const found = await failureOf((_request, response) => response.writeHead(status).end());
    expect({ reason: found.reason, passing: found.passing }).toEqual({ reason: `status ${status}`, passing });
  });

  it.each([
    ["no headers", (_response: ServerResponse) => undefined],
    [
      "a body that stops",
      (response: ServerResponse) => void response.writeHead(200, { "content-type": "text/html" }).write("<title>"),
    ],
  ])("with %s in time are given up", async (_name, handle) => {
    const timeouts = { headersSeconds: 0.1, bodySeconds: 0.1 };
    const found = await failureOf((_request, response) => handle(response), { robots: false, timeouts });
    expect(found).toMatchObject({ reason: "timeout", passing: true });
  });

  it("that come in drops are given up when it takes too long in all", async () => {
    const found = await failureOf(
      (_request, response) => {
        response.writeHead(200, { "content-type": "text/html" });
        const drip = setInterval(() => response.write(" "), 10);
        response.once("close", () => clearInterval(drip));
      },
      { robots: false, timeouts: { totalSeconds: 0.2 } },
    );
    expect(found).toMatchObject({ reason: "timeout", passing: true });
  });

  it("that are not wanted are not waited for", async () => {
    const site = await startSite((request, response) => {
      response.writeHead(request.url === "/moved" ? 302 : 404, { location: "/none" });
      // A body without an end.
      response.write("x");
    });
    expect((await failure(collect(courierFor([site], { robots: false }), `${site.host}/moved`))).reason).toBe(
      "status 404",
    );
    await until(() => site.underWay === 0, { what: "both connections to be closed" });
  });

  it("that break off fail, and may be had later", async () => {
    const cut = await failureOf((_request, response) => {
      response.writeHead(200, { "content-type": "text/html", "content-length": "10000" });
      response.write("<title>half", () => response.destroy());
    });
    expect(cut).toMatchObject({ reason: "closed", passing: true });
    const none = await failureOf((request) => request.socket.destroy());
    expect(none).toMatchObject({ reason: "closed", passing: true });
  });

  it("that are no HTTP fail", async () => {
    const port = await startSocket((socket) => socket.end("SSH-2.0-nonsense\r\n"));
    const found = await failure(collect(courierFor([{ port }], { robots: false }), `127.0.0.1:${port}/`));
    expect(found).toMatchObject({ reason: "protocol", passing: true });
  });

  it("that do not come because nobody is there fail", async () => {
    const port = await startSocket(() => undefined, "closed");
    const found = await failure(collect(courierFor([{ port }]), `127.0.0.1:${port}/`));
    expect(found).toMatchObject({ reason: "connect", passing: true });
  });

  it("are not waited for once the host stops", async () => {
    const site = await startSite(() => undefined);
    const stop = new AbortController();
    const collected = courierFor([site], { robots: false }).collect(
      { url: `${site.host}/`, articleId: "" },
      stop.signal,
    );
    await until(() => site.underWay === 1);
    stop.abort(new Error("stopping"));
    await expect(collected).rejects.toThrow("stopping");
    await until(() => site.underWay === 0);
  });
});

/** A port on loopback with a server that is no web server, or with none. */
async function startSocket(handle: (socket: Socket) => void, state: "open" | "closed" = "open"): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    handle(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  if (state === "open") onTestFinished(() => void server.close());
  else await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("redirects", () => {
  const to = (response: ServerResponse, location: string, status = 302): void =>
    void response.writeHead(status, { location }).end();

  it.each([301, 302, 303, 307, 308])("with status %i are followed", async (status) => {
    const site = await startSite((request, response) =>
      request.url === "/a" ? to(response, "b", status) : html(response, page(request.url!)),
    );
    expect((await collect(courierFor([site]), `${site.host}/a`)).title).toBe("/b");
  });

  it("are followed five times", async () => {
    const site = await startSite((request, response) => {
      const left = Number(request.url!.slice(1));
      if (left > 0) to(response, `/${left - 1}`);
      else html(response, page("x"));
    });
    const courier = courierFor([site]);
    expect((await collect(courier, `${site.host}/5`)).title).toBe("x");
    expect(await failure(collect(courier, `${site.host}/6`))).toMatchObject({ reason: "redirects", passing: false });
  });

  it("in a circle, or to nowhere, fail", async () => {
    const site = await startSite((request, response) => {
      if (request.url === "/a") to(response, "/b#x");
      else if (request.url === "/b") to(response, "/a");
      else if (request.url === "/none") response.writeHead(302).end();
      else to(response, "http://[");
    });
    const courier = courierFor([site]);
    expect((await failure(collect(courier, `${site.host}/a`))).message).toMatch(/leads back to/);
    expect(site.requests.filter((path) => path === "/a")).toHaveLength(1);
    expect((await failure(collect(courier, `${site.host}/none`))).reason).toBe("redirects");
    expect((await failure(collect(courier, `${site.host}/bad`))).reason).toBe("redirects");
  });

  it("to another site go by the rules of that site", async () => {
    const other = await startSite(
      (_request, response) => html(response, page("other")),
      "User-agent: *\nDisallow: /no",
    );
    const site = await startSite((request, response) => to(response, `http://${other.host}${request.url}`));
    const courier = courierFor([site, other]);
    expect((await collect(courier, `${site.host}/yes`)).title).toBe("other");
    expect(await failure(collect(courier, `${site.host}/no`))).toMatchObject({ reason: "robots", passing: false });
    expect(other.requests).toEqual(["/robots.txt", "/yes"]);
  });

  it.each([
    ["a private address", "http://10.0.0.1/", "address"],
    ["a link-local one, where clouds keep secrets", "http://169.254.169.254/latest/meta-data/", "address"],
    ["an address in disguise", "http://0x7f.1/", "address"],
    ["an address as one number", "http://2130706433/", "address"],
    ["IPv4 in IPv6", "http://[::ffff:127.0.0.1]/", "address"],
    ["a name of this machine", "http://localhost/", "address"],
    ["an odd port", "http://127.0.0.1:22/", "port"],
    ["a file", "file:///etc/passwd", "url"],
    ["data", "data:text/html,<title>x</title>", "url"],
    ["a user name", "http://a:b@127.0.0.1/", "url"],
  ])("to %s are refused", async (_name, location, reason) => {
    const site = await startSite((_request, response) => to(response, location));
    // The site itself is allowed by its address alone, so that 127.0.0.1 and no other is.
    const allow = location.includes("127.0.0.1:22") || location.includes("@") ? ["127.0.0.0/8"] : ["127.0.0.42"];
    const resolve: Resolve = (name, _options, callback) =>
      callback(null, [
        name === "site.example" ? { address: "127.0.0.42", family: 4 } : { address: "127.0.0.1", family: 4 },
      ]);
    const proxied = await startForwarder(site.port, "127.0.0.42");
    const courier = courierFor([site], { allow, ports: [proxied, 80, 443] }, { resolve });
    const found = await failure(collect(courier, `site.example:${proxied}/`));
    expect({ reason: found.reason, passing: found.passing }).toEqual({ reason, passing: false });
  });
});

/** Another loopback address that leads to a port. */
async function startForwarder(port: number, address: string): Promise<number> {
  const { connect } = await import("node:net");
  const server = createServer((socket) => {
    const onward = connect(port, "127.0.0.1");
    socket.on("error", () => onward.destroy());
    onward.on("error", () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  server.listen(0, address);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe("addresses", () => {
  const policy = new AddressPolicy();
  it.each([
    "127.0.0.1",
    "127.255.255.255",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "0.1.2.3",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "100::1",
    "::7f00:1",
  ])("%s is refused", (address) => expect(policy.refusal(address)).toEqual(expect.any(String)));

  it.each(["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.0", "2606:4700::1111", "168.63.129.17"])(
    "%s is not",
    (address) => expect(policy.refusal(address)).toBeUndefined(),
  );

  it("may be allowed by range, and others are not", () => {
    const own = new AddressPolicy(["10.1.0.0/16", "fd00::/8", "127.0.0.5"]);
    expect(["10.1.255.255", "fd12::1", "127.0.0.5"].map((each) => own.refusal(each))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(["10.2.0.0", "fc00::1", "127.0.0.6", "::ffff:10.1.0.1"].map((each) => own.refusal(each))).not.toContain(
      undefined,
    );
    for (const text of ["10.1.0.0/33", "x", "10.1", "", "fd00::/129"])
      expect(() => parseRange(text), text).toThrow(/no address range/);
  });

  it("are what a connection is made to: a name for this machine is refused, with the machine's own resolver", async () => {
    const site = await startSite((_request, response) => html(response, page("x")));
    const courier = courierFor([site], { allow: [] });
    for (const host of ["localhost", "127.0.0.1", "[::1]", "0"]) {
      const found = await failure(collect(courier, `${host}:${site.port}/`));
      expect({ host, reason: found.reason, passing: found.passing }).toEqual({
        host,
        reason: "address",
        passing: false,
      });
    }
    expect(site.requests).toEqual([]);
  });

  it("of a name are looked up once a connection, and the one that was checked is used", async () => {
    const site = await startSite((_request, response) => html(response, page("x")));
    // Public at the first look, ours at the second: whoever checks first and connects later is caught.
    const answers = ["127.0.0.1", "10.0.0.1"];
    let asked = 0;
    const resolve: Resolve = (_name, _options, callback) =>
      callback(null, [{ address: answers[Math.min(asked++, 1)]!, family: 4 }]);
    const courier = courierFor([site], { robots: false }, { resolve });
    // https: 127.0.0.1, no TLS there; http: 10.0.0.1.
    expect((await failure(collect(courier, `rebind.example:${site.port}/`))).reason).toBe("address");
    expect(asked).toBe(2);
    expect(site.requests).toEqual([]);
  });

  it("of a name with good and bad ones are used where they are good", async () => {
    const site = await startSite((_request, response) => html(response, page("x")));
    const resolve: Resolve = (_name, _options, callback) =>
      callback(null, [
        { address: "10.0.0.1", family: 4 },
        { address: "127.0.0.1", family: 4 },
        { address: "::1", family: 6 },
      ]);
    const courier = courierFor([site], {}, { resolve });
    expect((await collect(courier, `mixed.example:${site.port}/`)).title).toBe("x");
  });

  it("that cannot be looked up may be had later", async () => {
    const resolve: Resolve = (_name, _options, callback) =>
      callback(Object.assign(new Error("getaddrinfo ENOTFOUND x"), { code: "ENOTFOUND" }), []);
    const courier = courierFor([{ port: 443 }], {}, { resolve });
    expect(await failure(collect(courier, "nowhere.example/"))).toMatchObject({ reason: "dns", passing: true });
  });

  it("at a port that is not configured are refused before anything is asked", async () => {
    const site = await startSite((_request, response) => html(response, page("x")));
    expect(await failure(collect(courierFor([{ port: 80 }]), `${site.host}/`))).toMatchObject({
      reason: "port",
      passing: false,
    });
    expect(site.requests).toEqual([]);
  });
});

describe("robots.txt", () => {
  const start = (robots?: Parameters<typeof startSite>[1]) =>
    startSite((_request, response) => html(response, page("x")), robots);

  it("is asked once, and obeyed: the group that names us before the one for all", async () => {
    const site = await start(
      "User-agent: *\nDisallow: /\n\nUser-agent: hotpath\nDisallow: /private\nAllow: /private/open",
    );
    const courier = courierFor([site]);
    expect((await collect(courier, `${site.host}/a`)).title).toBe("x");
    expect((await collect(courier, `${site.host}/private/open/a`)).title).toBe("x");
    const found = await failure(collect(courier, `${site.host}/private/a`));
    expect(found).toMatchObject({ reason: "robots", passing: false });
    expect(site.requests).toEqual(["/robots.txt", "/a", "/private/open/a"]);
  });

  it("is not asked where that is configured", async () => {
    const site = await start("User-agent: *\nDisallow: /");
    expect((await collect(courierFor([site], { robots: false }), `${site.host}/`)).title).toBe("x");
    expect(site.requests).toEqual(["/"]);
  });

  it.each([[401], [403], [404], [410]])("with status %i allows everything", async (status) => {
    const site = await start((_request, response) => response.writeHead(status).end("User-agent: *\nDisallow: /"));
    expect((await collect(courierFor([site]), `${site.host}/`)).title).toBe("x");
  });

  it.each([[500], [503], [429]])("with status %i holds the page up, and is not asked again at once", async (status) => {
    const site = await start((_request, response) => response.writeHead(status).end());
    const courier = courierFor([site]);
    for (const path of ["a", "b"]) {
      const found = await failure(collect(courier, `${site.host}/${path}`));
      expect(found).toMatchObject({ reason: "robots unreachable", passing: true });
    }
    expect(site.requests).toEqual(["/robots.txt"]);
  });

  it("that breaks off holds the page up", async () => {
    const site = await start((request) => request.socket.destroy());
    expect(await failure(collect(courierFor([site]), `${site.host}/`))).toMatchObject({ reason: "robots unreachable" });
  });

  it("may be elsewhere, and in a circle is none", async () => {
    const site = await start((_request, response) => response.writeHead(301, { location: "/robots.txt" }).end());
    expect((await collect(courierFor([site]), `${site.host}/`)).title).toBe("x");
    const moved = await startSite(
      (request, response) =>
        request.url === "/rules" ? response.end("User-agent: *\nDisallow: /a") : html(response, page("x")),
      (_request, response) => response.writeHead(301, { location: "/rules" }).end(),
    );
    expect((await failure(collect(courierFor([moved]), `${moved.host}/a`))).reason).toBe("robots");
  });

  it("without an end is read up to its limit", async () => {
    const site = await start((_request, response) => {
      response.writeHead(200);
      response.write("User-agent: *\nDisallow: /a\n");
      const more = (): void => {
        while (!response.destroyed && response.write("# much\n".repeat(1000)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    const courier = courierFor([site]);
    expect((await failure(collect(courier, `${site.host}/a`))).reason).toBe("robots");
    expect((await collect(courier, `${site.host}/b`)).title).toBe("x");
  });

  it("sets the pace, up to the bound", async () => {
    const clock = stopMachineClock();
    const paces: number[] = [];
    for (const maxCrawlDelaySeconds of [0.3, 0]) {
      const site = await start("User-agent: *\nCrawl-delay: 3600");
      const courier = courierFor([site], { maxCrawlDelaySeconds, robotsMinutes: 1 });
      await clock.during(collect(courier, `${site.host}/a`));
      const startedAt = clock.now();
      await clock.during(collect(courier, `${site.host}/b`));
      paces.push(clock.now() - startedAt);
    }
    expect(paces).toEqual([300, 0]);
  });
});

describe("politeness", () => {
  it("asks a site for one page at a time, and all sites for no more than the limit", async () => {
    const waiting: ServerResponse[] = [];
    const hold = (_request: unknown, response: ServerResponse): void => void waiting.push(response);
    const sites = await Promise.all([1, 2, 3].map(() => startSite(hold)));
    const courier = courierFor(sites, { robots: false, concurrency: 2 });
    const collected = Promise.all(
      sites.flatMap((site) => ["a", "b"].map((path) => collect(courier, `${site.host}/${path}`))),
    );
    const most = { all: 0, site: 0 };
    let answered = 0;
    while (answered < 6) {
      // As many as there may be at once: two, and at the end one.
      await until(() => waiting.length >= Math.min(2, 6 - answered), { what: "requests" });
      most.all = Math.max(
        most.all,
        sites.reduce((sum, { underWay }) => sum + underWay, 0),
      );
      most.site = Math.max(most.site, ...sites.map(({ underWay }) => underWay));
      html(waiting.shift()!, page("x"));
      answered += 1;
    }
    expect((await collected).map(({ title }) => title)).toEqual(Array(6).fill("x"));
    expect(most).toEqual({ all: 2, site: 1 });
    expect(courier.room).toBe(2);
  });

  it("leaves a site alone that asks for it, also for other pages, without asking", async () => {
    const site = await startSite((_request, response) => response.writeHead(429, { "retry-after": "600" }).end());
    stopMachineClock();
    const courier = courierFor([site], { robots: false });
    const first = await failure(collect(courier, `${site.host}/a`));
    expect(first).toMatchObject({ reason: "status 429", passing: true, untried: false, retryAfterMs: 600_000 });
    const second = await failure(collect(courier, `${site.host}/b`));
    expect(second).toMatchObject({ reason: "resting", passing: true, untried: true, retryAfterMs: 600_000 });
    expect(site.requests).toEqual(["/a"]);
    expect(courier.room).toBe(8);
  });

  it("also leaves alone what was waiting already", async () => {
    const waiting: ServerResponse[] = [];
    const site = await startSite((_request, response) => void waiting.push(response));
    const courier = courierFor([site], { robots: false });
    const first = failure(collect(courier, `${site.host}/a`));
    const second = failure(collect(courier, `${site.host}/b`));
    await until(() => waiting.length === 1);
    waiting[0]!.writeHead(503, { "retry-after": "600" }).end();
    expect([(await first).reason, (await second).reason]).toEqual(["status 503", "resting"]);
    expect(courier.room).toBe(8);
  });

  it("waits for a short rest", async () => {
    const clock = new ManualClock();
    const politeness = new Politeness({ concurrency: 1, perSite: 1, patienceMs: 1000, clock });
    politeness.rest("a", 50);
    expect(await clock.during(politeness.run("a", NEVER, async () => clock.now()))).toBe(50);
  });
});

describe("an item API", () => {
  const source = (site: TestSite, more: object = {}) => ({
    url: `http://${site.host}/items/{article_id}`,
    title: "title",
    kicker: "kicker",
    date: "published.at",
    ...more,
  });
  const json = (response: ServerResponse, data: unknown): void => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(data));
  };

  it("is asked in place of the page", async () => {
    const keys: unknown[] = [];
    const api = await startSite((request, response) => {
      keys.push(request.headers["x-key"]);
      json(response, { title: "T", kicker: "K", published: { at: NOON } });
    });
    const items = { "www.rtl.lu": source(api, { headers: { "x-key": "secret" } }) };
    const found = await collect(courierFor([api], { items }), "www.rtl.lu/news/a/7.html", "7");
    expect(found).toEqual({ title: "T", kicker: "K", displayDate: NOON });
    // Its owner configured it: robots.txt is not asked.
    expect(api.requests).toEqual(["/items/7"]);
    expect(keys).toEqual(["secret"]);
  });

  it.each([
    ["does not know the item", (response: ServerResponse) => void response.writeHead(404).end()],
    ["has no title", (response: ServerResponse) => json(response, { kicker: "K" })],
  ])("that %s sends to the page", async (_name, answer) => {
    const site = await startSite((_request, response) => html(response, page("page")));
    const api = await startSite((_request, response) => answer(response));
    const courier = courierFor([site, api], { items: { [site.host]: source(api) } });
    expect((await collect(courier, `${site.host}/a/7.html`, "7")).title).toBe("page");
    expect(api.requests).toEqual(["/items/7"]);
  });

  it("is not asked for a page without an article", async () => {
    const site = await startSite((_request, response) => html(response, page("page")));
    const api = await startSite((_request, response) => json(response, { title: "T" }));
    const courier = courierFor([site, api], { items: { "127.0.0.1": source(api) } });
    expect((await collect(courier, `${site.host}/`)).title).toBe("page");
    expect((await collect(courier, `${site.host}/1.html`, "1")).title).toBe("T");
    expect(api.requests).toEqual(["/items/1"]);
  });

  it.each<[string, (response: ServerResponse) => void, string, boolean]>([
    ["is down", (response) => void response.writeHead(500).end(), "status 500", true],
    ["wants a login", (response) => void response.writeHead(401).end(), "status 401", false],
    ["answers no JSON", (response) => void response.end("<html>"), "type", false],
    ["answers too much", (response) => void response.end(`"${"x".repeat(2000)}"`), "size", false],
  ])("that %s fails", async (_name, answer, reason, passing) => {
    const api = await startSite((_request, response) => answer(response));
    const courier = courierFor([api], { maxBytes: 1024, items: { "a.example": source(api) } });
    const found = await failure(collect(courier, "a.example/1", "1"));
    expect({ reason: found.reason, passing: found.passing }).toEqual({ reason, passing });
  });

  it("does not send its keys to where it redirects", async () => {
    const keys: unknown[] = [];
    const other = await startSite((request, response) => {
      keys.push(request.headers["x-key"]);
      json(response, { title: "T" });
    });
    const api = await startSite(
      (_request, response) => void response.writeHead(302, { location: `http://${other.host}/` }).end(),
    );
    const items = { "a.example": source(api, { headers: { "x-key": "secret" } }) };
    expect((await collect(courierFor([api, other], { items }), "a.example/1", "1")).title).toBe("T");
    expect(keys).toEqual([undefined]);
  });

  it("is under the same rules about addresses", async () => {
    const api = await startSite((_request, response) => json(response, { title: "T" }));
    const courier = courierFor([api], { allow: [], items: { "a.example": source(api) } });
    expect((await failure(collect(courier, "a.example/1", "1"))).reason).toBe("address");
  });
});
