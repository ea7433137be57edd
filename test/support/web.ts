import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, onTestFinished } from "vitest";

/** A web site on loopback. */
export interface TestSite {
  port: number;
  /** `127.0.0.1:port` */
  host: string;
  /** Paths that were asked for, in order; robots.txt too. */
  requests: string[];
  /** Requests that are being answered. */
  underWay: number;
  close(): void;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Starts a site; it ends with the test, or with the file if it was started outside of one.
 *
 * @param handler answers everything but robots.txt, of which there is none unless `robots` is given
 */
export async function startSite(handler: Handler, robots?: string | Handler): Promise<TestSite> {
  const site: TestSite = { port: 0, host: "", requests: [], underWay: 0, close: () => undefined };
  const server = createServer((request, response) => {
    site.requests.push(request.url ?? "");
    site.underWay += 1;
    response.once("close", () => (site.underWay -= 1));
    if (request.url !== "/robots.txt") return handler(request, response);
    if (typeof robots === "function") return robots(request, response);
    response.writeHead(robots === undefined ? 404 : 200, { "content-type": "text/plain" });
    response.end(robots ?? "none");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  site.port = (server.address() as AddressInfo).port;
  site.host = `127.0.0.1:${site.port}`;
  site.close = () => {
    server.close();
    server.closeAllConnections();
  };
  try {
    onTestFinished(site.close);
  } catch {
    afterAll(site.close);
  }
  return site;
}

/** Answers with a page. */
export function html(response: ServerResponse, page: string | Buffer, headers: Record<string, string> = {}): void {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...headers });
  response.end(page);
}

/** A page with a title and a date, so that nothing after its head is wanted. */
export function page(title: string): string {
  return `<!doctype html><head><meta property="og:title" content="${title}"><meta property="article:published_time" content="2026-11-20T12:00:00Z"></head><body>text</body>`;
}
