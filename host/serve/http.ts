/** The host's HTTP server: /livez, /readyz, /healthz and /metrics. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { UserError } from "../runtime/errors";

/** How the host is; what is false answers 503. */
export interface Health {
  /** /livez */
  live: boolean;
  /** /readyz */
  ready: boolean;
  /** /healthz */
  healthy: boolean;
  /** What all of them show. */
  body: unknown;
}

interface HttpSources {
  health(): Health;
  /** What /metrics shows, and its content type. */
  metrics(): Promise<{ text: string; contentType: string }>;
}

/**
 * Starts the server.
 *
 * @param port 0 takes a free one
 * @returns the port, and how to close
 * @throws UserError if the port cannot be had
 */
export async function startHttp(
  host: string,
  port: number,
  sources: HttpSources,
): Promise<{ port: number; close(): void }> {
  const server = createServer((request, response) => {
    void answer(request.url ?? "/", request.method ?? "GET", response, sources).catch(() =>
      reply(response, 500, "text/plain", "error\n"),
    );
  });
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    throw new UserError(`http.port: cannot listen on ${host}:${port}: ${(error as Error).message}`);
  }
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function answer(url: string, method: string, response: ServerResponse, sources: HttpSources): Promise<void> {
  if (method !== "GET" && method !== "HEAD") return reply(response, 405, "text/plain", "only GET\n");
  switch (url.split("?")[0]) {
    case "/livez":
      return replyHealth(response, sources.health(), "live");
    case "/readyz":
      return replyHealth(response, sources.health(), "ready");
    case "/healthz":
      return replyHealth(response, sources.health(), "healthy");
    case "/metrics": {
      const { text, contentType } = await sources.metrics();
      return reply(response, 200, contentType, text);
    }
    default:
      return reply(response, 404, "text/plain", "there is /livez, /readyz, /healthz and /metrics\n");
  }
}

function replyHealth(response: ServerResponse, health: Health, asked: "live" | "ready" | "healthy"): void {
  reply(response, health[asked] ? 200 : 503, "application/json", `${JSON.stringify(health.body)}\n`);
}

function reply(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" });
  response.end(body);
}

function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}
