/**
 * One connection to one primary, which is found and connected again for as long as the link is open.
 *
 * Reconnecting is done here and not by node-redis, for two guarantees. A command runs at most once: what was on its way
 * when the connection broke is reported and not repeated (node-redis' sentinel client repeats it, which would count
 * events twice). And nothing piles up: while Redis is away, a command fails at once.
 */
import { createClient, ErrorReply, RESP_TYPES } from "@redis/client";
import { backoffMs } from "../runtime/backoff";
import { describeError, ReplyError, SlotMovingError, UnavailableError } from "../runtime/errors";
import { formatEndpoint, type Credentials, type Endpoint } from "./url";
import { pause } from "../runtime/wait";
import { Watchdog } from "./watchdog";
import type { Argument, SendOptions } from "./wire";

/** How servers are logged in to. */
export interface Access {
  tls: boolean;
  credentials: Credentials;
  database: number;
}

export type Client = ReturnType<typeof newClient>;

const CONNECT_TIMEOUT_MS = 5000;
/** A connection whose other end vanished without a word is noticed by unanswered PINGs. Longer than any blocking read. */
const PING_INTERVAL_MS = 10_000;
const SILENCE_TIMEOUT_MS = 30_000;
/** Commands that are not written yet; beyond that the server has stalled, and more would only fill the memory. */
const MAX_PENDING = 100_000;

/** Replies that say that the server cannot serve now, and has not run the command. */
const PASSING = new Set(["LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "BUSY"]);

function newClient(endpoint: Endpoint, access: Access) {
  return createClient({
    ...access.credentials,
    database: access.database,
    RESP: 2,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_PENDING,
    // Many commands of one turn may take longer to write than node-redis would wait. The watchdog finds out who stalls.
    commandOptions: { timeout: undefined as unknown as number },
    pingInterval: PING_INTERVAL_MS,
    socket: {
      ...endpoint,
      ...(access.tls ? { tls: true as const } : {}),
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_TIMEOUT_MS,
      reconnectStrategy: false,
    },
  });
}

/**
 * Connects once.
 *
 * @param signal ends the attempt
 * @returns a client that answers; when its connection breaks it is of no more use
 * @throws UnavailableError if nobody answers or the server is not ready; ReplyError if it refuses us
 */
export async function openClient(endpoint: Endpoint, access: Access, signal?: AbortSignal): Promise<Client> {
  const client = newClient(endpoint, access);
  const interrupt = (): void => endClient(client);
  signal?.addEventListener("abort", interrupt, { once: true });
  // Every failure is told by a promise or by "terminated"; without a listener it would end the process as well.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.sendCommand(["PING"]);
    return client;
  } catch (error) {
    endClient(client);
    const explained = explain(error, endpoint);
    if (explained instanceof ReplyError) throw explained;
    throw new UnavailableError(`cannot connect to ${explained.message}`, false, error);
  } finally {
    signal?.removeEventListener("abort", interrupt);
  }
}

/** Closes at once; commands under way are rejected. May be called twice. */
export function endClient(client: Client): void {
  try {
    client.destroy();
  } catch {
    // Closed already.
  }
}

/** A failed command, in terms of {@link ReplyError} and {@link UnavailableError}. */
export function explain(error: unknown, endpoint: Endpoint): Error {
  if (error instanceof ErrorReply) {
    const reply = ReplyError.parse(error.message);
    if (reply.code === "TRYAGAIN") return new SlotMovingError(`${formatEndpoint(endpoint)}: ${reply.message}`, error);
    return PASSING.has(reply.code)
      ? new UnavailableError(`${formatEndpoint(endpoint)}: ${reply.message}`, false, error)
      : reply;
  }
  const { code, name, message } = error as NodeJS.ErrnoException;
  const unsent =
    ["ClientOfflineError", "ClientClosedError"].includes(name) ||
    code === "ECONNREFUSED" ||
    message === "The queue is full";
  return new UnavailableError(`${formatEndpoint(endpoint)}: ${describeError(error)}`, !unsent, error);
}

export class Link {
  #client: Client | undefined;
  #watchdog: Watchdog | undefined;
  #endpoint: Endpoint | undefined;
  #lastError: Error | undefined;
  /** Those that were given up because no reply came. */
  readonly #silent = new WeakSet<Client>();
  readonly #closed = new AbortController();

  /**
   * @param locate tells where the primary is now; asked before each attempt
   * @param access how to log in
   * @param admit looks at a new connection; throws if it is not to be used
   * @param silenceMs after so long without a reply the connection is given up, if something waits for one
   */
  constructor(
    private readonly locate: () => Promise<Endpoint>,
    private readonly access: Access,
    private readonly admit: (client: Client, endpoint: Endpoint) => Promise<void> = () => Promise.resolve(),
    private readonly silenceMs = SILENCE_TIMEOUT_MS,
  ) {}

  /** `host:port` of the server that was connected last. */
  get address(): string {
    return this.#endpoint ? formatEndpoint(this.#endpoint) : "not connected yet";
  }

  /**
   * Connects for the first time. After a failure the link is closed.
   *
   * @throws UnavailableError or ReplyError, as {@link openClient}
   */
  async open(): Promise<this> {
    try {
      await this.#connect();
      return this;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Sends one command, at most once.
   *
   * @throws ReplyError for an error reply; UnavailableError while Redis is away
   */
  async send(args: readonly Argument[], options: SendOptions = {}): Promise<unknown> {
    const client = this.#client;
    const watchdog = this.#watchdog;
    const endpoint = this.#endpoint!;
    if (!client?.isReady || !watchdog) {
      throw new UnavailableError(this.#lastError?.message ?? `${this.address}: not connected`, false);
    }
    try {
      const mapping = options.asBuffers ? { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } : undefined;
      return await watchdog.watch(client.sendCommand(args, mapping));
    } catch (error) {
      if (this.#silent.has(client) && !(error instanceof ErrorReply)) throw this.#silenceOf(endpoint);
      const explained = explain(error, endpoint);
      // A primary that was demoted keeps its connections in some set-ups; the new one has to be looked for.
      if (error instanceof ErrorReply && error.message.startsWith("READONLY")) this.#lose(client, explained);
      throw explained;
    }
  }

  /** Closes at once and for good. */
  close(): void {
    this.#closed.abort();
    this.#watchdog?.close();
    if (this.#client) endClient(this.#client);
    this.#client = undefined;
  }

  async #connect(): Promise<void> {
    const endpoint = await this.locate();
    const client = await openClient(endpoint, this.access, this.#closed.signal);
    try {
      await this.admit(client, endpoint);
    } catch (error) {
      endClient(client);
      throw error;
    }
    if (this.#closed.signal.aborted) return endClient(client);
    this.#endpoint = endpoint;
    this.#client = client;
    this.#watchdog = new Watchdog(this.silenceMs, () => {
      this.#silent.add(client);
      this.#lose(client, this.#silenceOf(endpoint));
    });
    client.on("terminated", (cause: unknown) => this.#lose(client, explain(cause, endpoint)));
    if (!client.isReady) this.#lose(client, new UnavailableError(`${this.address}: connection closed`, true));
  }

  #silenceOf(endpoint: Endpoint): UnavailableError {
    const silence = `no reply for ${this.silenceMs / 1000} s, though the connection is open; it is given up`;
    return new UnavailableError(`${formatEndpoint(endpoint)}: ${silence}`, true);
  }

  #lose(client: Client, cause: Error): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#lastError = cause;
    this.#watchdog?.close();
    endClient(client);
    if (!this.#closed.signal.aborted) void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    for (let attempt = 0; !this.#closed.signal.aborted; attempt += 1) {
      await pause(backoffMs(attempt), this.#closed.signal);
      if (this.#closed.signal.aborted) return;
      try {
        return await this.#connect();
      } catch (error) {
        this.#lastError = error as Error;
      }
    }
  }
}
