/**
 * Webhooks: a POST of JSON, signed as https://www.standardwebhooks.com describes, so that any of its libraries verifies it.
 */
import { Webhook } from "standardwebhooks";
import { Agent, request, type Dispatcher } from "undici";
import { describeError } from "../../runtime/errors";
import { VERSION } from "../../runtime/version";
import { contentOf, failed, shorten, type Courier, type Delivery, type Failed, type Notification } from "./courier";
import { parseRetryAfter } from "../../fetch/retry-after";
import { showUrl } from "../../fetch/show-url";

export interface WebhookOptions {
  url: string;
  /** `whsec_…`, the one that is signed with first; several while receivers change over. Empty: not signed. */
  secrets: readonly string[];
  /** To be connected, TLS included. */
  connectTimeoutMs: number;
  /** Until the answer begins, and between two parts of it. */
  answerTimeoutMs: number;
  /** Most connections at once. */
  connections: number;
}

/** Enough of an answer to say what was wrong; the rest, be it a gigabyte, is not read. */
const MAX_ANSWER_BYTES = 4096;
const HTTP_GONE = 410;
/** 4xx that pass by themselves: timeout, too early, too many. */
const PASSING = new Set([408, 425, 429]);
/** Those whose Retry-After is for us. */
const TELLS_WHEN = new Set([429, 503]);
/** A receiver that asks for a year has made a mistake, and must not silence a topic by it. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/** Makes the courier. The connection is kept between deliveries. */
export function createWebhookCourier(options: WebhookOptions): Courier {
  const { url, connectTimeoutMs, answerTimeoutMs, connections } = options;
  const signers = options.secrets.map((secret) => new Webhook(secret));
  const agent = new Agent({
    connect: { timeout: connectTimeoutMs },
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
    connections,
    maxRedirections: 0,
  });
  return {
    shown: showUrl(url),
    deliver: (notification, signal) => post(url, signers, agent, notification, signal),
    close: () => agent.destroy(),
  };
}

async function post(
  url: string,
  signers: readonly Webhook[],
  dispatcher: Dispatcher,
  notification: Notification,
  signal: AbortSignal,
): Promise<Delivery> {
  const body = bodyOf(notification);
  try {
    const headers = { ...HEADERS, ...signatureHeaders(notification.id, body, signers, new Date()) };
    const response = await request(url, { method: "POST", headers, body, dispatcher, signal });
    return await judge(response, url);
  } catch (error) {
    return explain(error);
  }
}

const HEADERS = { "content-type": "application/json", "user-agent": `hotpath/${VERSION}`, accept: "*/*" };

/** `type`, `timestamp`, `data`, as the specification advises; the same text in every attempt. */
function bodyOf(notification: Notification): string {
  return JSON.stringify({
    type: `notifier.${notification.topic}`,
    timestamp: new Date(notification.lastAt).toISOString(),
    data: contentOf(notification),
  });
}

function signatureHeaders(id: string, body: string, signers: readonly Webhook[], at: Date): Record<string, string> {
  const signatures = signers.map((signer) => signer.sign(id, at, body));
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    ...(signatures.length > 0 && { "webhook-signature": signatures.join(" ") }),
  };
}

async function judge({ statusCode: status, headers, body }: Dispatcher.ResponseData, url: string): Promise<Delivery> {
  if (status >= 200 && status < 300) {
    // The status is the answer. Its body is read, as far as it is short, for the connection to be used again.
    void readStart(body);
    return { outcome: "delivered" };
  }
  const words = await readStart(body);
  const reason = `HTTP ${status}${words === "" ? "" : `: ${words}`}`;
  if (status === HTTP_GONE) return { outcome: "disabled", code: "http_410", reason: shorten(reason) };
  if (status >= 300 && status < 400) return redirected(status, headers["location"], url);
  const asked = TELLS_WHEN.has(status) ? parseRetryAfter(headers["retry-after"], Date.now()) : undefined;
  return failed(`http_${status}`, reason, {
    retryable: status >= 500 || PASSING.has(status),
    ...(asked !== undefined && { retryAfterMs: Math.min(asked, MAX_RETRY_AFTER_MS) }),
  });
}

/** A redirect would carry what is signed for one receiver to another, at the word of whoever answers. */
function redirected(status: number, location: string | string[] | undefined, url: string): Failed {
  const target = String(location ?? "");
  const where = URL.canParse(target, url) ? ` to ${showUrl(new URL(target, url).href)}` : "";
  return failed(`http_${status}`, `HTTP ${status} redirects${where}; redirects are not followed, change the url`, {
    retryable: false,
  });
}

/** The first words of an answer. Leaving the loop closes the connection if there is more. */
async function readStart(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    // The status has been read, and that decides.
  }
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString().trim();
}

const TIMEOUTS = new Set(["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "ETIMEDOUT"]);

function explain(error: unknown): Failed {
  const { code = "", name } = error as NodeJS.ErrnoException;
  if (TIMEOUTS.has(code) || name === "AbortError" || name === "TimeoutError")
    return failed("timeout", `no answer: ${describeError(error)}`);
  return failed("connection", `cannot be reached: ${describeError(error)}`);
}
