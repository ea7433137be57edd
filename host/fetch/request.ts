/** One GET request on a connection of its own, with limits on everything; redirects are answers like any other. */
import { performance } from "node:perf_hooks";
import type { Readable } from "node:stream";
import { buildConnector, Client } from "undici";
import { describeError } from "../runtime/errors";
import { showUrl } from "./show-url";
import type { AddressPolicy } from "./addresses";
import { PageFailure } from "./failure";

/** In milliseconds. */
export interface Timeouts {
  /** Until the connection stands, TLS included. */
  connectMs: number;
  /** Until the head of the answer is there. */
  headersMs: number;
  /** Between two pieces of the body. */
  bodyMs: number;
  /** All of it. */
  totalMs: number;
}

/** One HTTP request, for metrics: pages, robots.txt, and each hop of a redirect. */
export interface RequestTiming {
  /** Without a query, which may be long and hold what is nobody's business. */
  url: string;
  /** 0 where no answer came. */
  status: number;
  /** From the start, connection included, until the head of the answer was there; all of it where no answer came. */
  firstByteMs: number;
  totalMs: number;
}

interface RequestOptions {
  headers: Record<string, string>;
  timeouts: Timeouts;
  policy: AddressPolicy;
  /** Ends the request. */
  signal: AbortSignal;
  /** Told when the request is over, however it ended. */
  onEnd?: ((timing: RequestTiming) => void) | undefined;
}

export interface Answer {
  status: number;
  /** By lower-case name; of a header that is there several times, the first. */
  header(name: string): string | undefined;
  /** As it comes over the wire, compressed or not. */
  body: Readable;
}

/**
 * Sends the request and hands the answer to `use`. The connection is closed when `use` has ended, whatever is left of the body:
 * most pages are left at the end of their head.
 *
 * @throws PageFailure where the answer cannot be had, or not in time; what `use` throws
 */
export async function get<T>(url: URL, options: RequestOptions, use: (answer: Answer) => Promise<T>): Promise<T> {
  const { timeouts, policy, signal, headers, onEnd } = options;
  signal.throwIfAborted();
  policy.checkLiteral(url.hostname);
  const state = { connected: false };
  const client = openClient(url, policy, timeouts, state);
  const deadline = startDeadline(signal, timeouts.totalMs);
  const timing = { url: showUrl(url.href), status: 0, startedAtMs: performance.now(), firstByteMs: NaN };
  try {
    const response = await client.request({
      method: "GET",
      path: url.pathname + url.search,
      headers,
      signal: deadline.signal,
    });
    timing.status = response.statusCode;
    timing.firstByteMs = performance.now() - timing.startedAtMs;
    // Also told by the iterator that reads it; unheard, the event would end the process.
    response.body.on("error", () => undefined);
    return await use({
      status: response.statusCode,
      header: (name) => firstOf(response.headers[name]),
      body: response.body,
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (deadline.signal.aborted) {
      const options = { passing: true, unconnected: !state.connected };
      throw new PageFailure("timeout", `${url.host} took more than ${timeouts.totalMs} ms`, options);
    }
    throw explain(error, url, state.connected);
  } finally {
    deadline.end();
    // Not awaited: it waits for the socket's end, and there may be no socket.
    void client.destroy().catch(() => undefined);
    const totalMs = performance.now() - timing.startedAtMs;
    onEnd?.({
      url: timing.url,
      status: timing.status,
      firstByteMs: timing.status === 0 ? totalMs : timing.firstByteMs,
      totalMs,
    });
  }
}

/**
 * A signal that is aborted with another one, or when the time is up. Not by AbortSignal.any: in Node 20 the other one, which
 * lives as long as the host, would remember each.
 */
function startDeadline(signal: AbortSignal, ms: number): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, ms);
  signal.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    },
  };
}

function openClient(url: URL, policy: AddressPolicy, timeouts: Timeouts, state: { connected: boolean }): Client {
  const connect = buildConnector({ lookup: policy.lookup, timeout: timeouts.connectMs });
  return new Client(url.origin, {
    connect: (options, callback) =>
      connect(options, (...result) => {
        state.connected ||= result[0] === null;
        callback(...result);
      }),
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.bodyMs,
    pipelining: 0,
  });
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

const CERTIFICATE =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH)/;

/** A failed connection or a broken answer as a {@link PageFailure}. */
function explain(error: unknown, url: URL, connected: boolean): unknown {
  if (error instanceof PageFailure) return error;
  // Several addresses of one name fail as one error with a part for each.
  const first: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  if (first instanceof PageFailure) return first;
  const { code = "" } = first as NodeJS.ErrnoException;
  const fail = (reason: PageFailure["reason"], unconnected = false) =>
    new PageFailure(reason, `${url.host}: ${describeError(first)}`, { passing: true, unconnected, cause: error });
  if (["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA"].includes(code)) return fail("dns");
  if (CERTIFICATE.test(code)) return fail("certificate");
  if (code === "UND_ERR_CONNECT_TIMEOUT") return fail("timeout", true);
  if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT") return fail("timeout");
  if (!connected) return fail("connect", true);
  if (code.startsWith("HPE_") || code === "UND_ERR_HEADERS_OVERFLOW") return fail("protocol");
  return fail("closed");
}
