/** `hotpath mirror`: another server's stream, each entry counted here exactly once. */
import { backoffMs } from "../../runtime/backoff";
import { connect, type Connection } from "../../redis/connection";
import { describeError, ReplyError, UnavailableError, UserError } from "../../runtime/errors";
import {
  nothingCounted,
  OvertakenError,
  Sender,
  type Chunk,
  type Counted,
  type ImportFunctions,
} from "../import/sender";
import { formatCount } from "../../terminal/format";
import { formatEndpoint, parseServerUrl } from "../../redis/url";
import { pause } from "../../runtime/wait";
import { FIRST_ID, readBatch, waitForEntry, type Batch, type Entry, type StreamPosition } from "./source";

/** Entries of one read, and events of one call. */
const BATCH_ENTRIES = 1000;
const CALL_EVENTS = 250;

/** Ids before 2001 were given by hand, and tell no time. */
const EARLIEST_ID_MS = 1e12;

const EVENT_FIELDS = ["url", "uui", "dt", "audio", "video", "podcast"] as const;

export interface MirrorOptions {
  url: string;
  stream: string;
  /** Names the source in Redis: the same for a server and its replicas, if it is given. */
  name?: string | undefined;
  untilEmpty: boolean;
  acceptGap: boolean;
  again: boolean;
  say: (line: string) => void;
  /** Told after each batch. */
  onProgress?: (entries: number) => void;
  signal: AbortSignal;
}

export interface MirrorSummary {
  source: string;
  entries: number;
  accepted: number;
  rejected: number;
  /** Entries that were trimmed there before they could be counted. */
  missing: number;
  position: string | null;
  /** Whether everything that was there is counted. */
  done: boolean;
}

/** Entries were removed before they were counted. */
export class GapError extends UserError {
  override name = "GapError";
}

/**
 * Follows a stream until the signal is aborted, or to its end.
 *
 * @throws GapError where entries went missing and that was not accepted; ReplyError where the other server refuses us
 */
export async function mirror(functions: ImportFunctions, options: MirrorOptions): Promise<MirrorSummary> {
  return new Mirror(functions, options).run();
}

class Mirror {
  readonly #counted: Counted = nothingCounted();
  #entries = 0;
  #missing = 0;
  #attempt = 0;
  #isDone = false;
  #source = "";
  #position: StreamPosition | undefined;
  #connection: Connection | undefined;

  constructor(
    private readonly functions: ImportFunctions,
    private readonly options: MirrorOptions,
  ) {}

  async run(): Promise<MirrorSummary> {
    const { signal } = this.options;
    const interrupt = (): void => this.#connection?.close();
    signal.addEventListener("abort", interrupt, { once: true });
    let again = this.options.again;
    try {
      while (!signal.aborted && !this.#isDone) {
        try {
          await this.#open(again);
          again = false;
          await this.#follow();
        } catch (error) {
          await this.#recover(error);
        }
      }
    } finally {
      signal.removeEventListener("abort", interrupt);
      this.#connection?.close();
    }
    return this.#summary();
  }

  /** Connects, and goes to what is kept. */
  async #open(again: boolean): Promise<void> {
    const { url, name, stream } = this.options;
    this.#connection ??= await connect(url);
    this.#source = `mirror:${name ?? addressOf(url)}:${stream}`;
    if (again) await this.functions.forgetImport({ source: this.#source });
    const kept = await this.functions.getImport({ source: this.#source });
    this.#position = kept === null ? undefined : parsePosition(kept.position, this.#source);
  }

  async #follow(): Promise<void> {
    const { stream, signal, untilEmpty } = this.options;
    while (!signal.aborted) {
      const batch = await readBatch(this.#connection!, stream, this.#position, BATCH_ENTRIES);
      this.#judge(batch);
      const isEnd = batch.entries.length < BATCH_ENTRIES && !batch.isBegunAnew;
      await this.#count(batch, isEnd);
      this.#attempt = 0;
      this.options.onProgress?.(this.#entries);
      if (!isEnd) continue;
      if (untilEmpty) {
        this.#isDone = true;
        return;
      }
      if (batch.entries.length === 0) await waitForEntry(this.#connection!, stream, this.#position?.id ?? FIRST_ID);
    }
  }

  /** Stops where something is missing; loudly, because nobody can bring it back. */
  #judge({ missing, isBegunAnew, from, entries }: Batch): void {
    if (missing === 0 && !isBegunAnew) return;
    const { stream, acceptGap, say } = this.options;
    const where = `${stream} of ${this.#connection!.shown}`;
    const what = isBegunAnew
      ? `${where} was deleted and begun anew after ${this.#position!.id}; what it held then and was not counted is lost`
      : `${formatCount(missing)} entries of ${where} after ${this.#position!.id} were removed before they could be counted`;
    if (!acceptGap) throw new GapError(`${what}; --accept-gap goes on with what is there`);
    say(`GAP: ${what}; going on with what is there`);
    this.#missing += missing;
    if (entries.length === 0) this.#anew = from;
  }

  /** Where counting goes on after a gap that no entry follows yet; what is kept is still before it. */
  #anew: StreamPosition | undefined;

  /** Counts a batch in calls that lead from one position to the next; the last one at the end lets rotation go on. */
  async #count({ entries, from }: Batch, isEnd: boolean): Promise<void> {
    let kept = this.#position;
    let ordinal = from.ordinal;
    if (this.#anew !== undefined) {
      await this.#send([{ from: formatKept(kept), to: formatKept(this.#anew), events: [], nowMs: Date.now() }]);
      this.#position = this.#anew;
      this.#anew = undefined;
      return;
    }
    const chunks: Chunk[] = [];
    for (let at = 0; at < entries.length; at += CALL_EVENTS) {
      const part = entries.slice(at, at + CALL_EVENTS);
      ordinal += part.length;
      const reached = { id: part.at(-1)!.id, ordinal };
      chunks.push({
        from: formatKept(kept),
        to: formatKept(reached),
        events: part.map(eventOf),
        nowMs: clockOf(part.at(-1)!),
      });
      kept = reached;
    }
    await this.#send(chunks);
    this.#position = kept;
    this.#entries += entries.length;
    if (isEnd && entries.length > 0) await this.#release(formatKept(kept));
  }

  async #send(chunks: readonly Chunk[]): Promise<void> {
    const sender = new Sender(this.functions, this.#source, this.#counted, () => undefined);
    for (const chunk of chunks) await sender.send(chunk);
    await sender.flush();
  }

  async #release(position: string): Promise<void> {
    await this.functions.importEvents({ source: this.#source, from: position, to: position, events: [], hold: 0 });
  }

  /** One of the servers is away, or another mirror was faster. */
  async #recover(error: unknown): Promise<void> {
    const { signal, say } = this.options;
    if (signal.aborted) return;
    if (error instanceof ReplyError && error.code === "MOVED") throw this.#elsewhere();
    if (!(error instanceof UnavailableError) && !(error instanceof OvertakenError)) throw error;
    if (this.#attempt === 0) {
      say(
        error instanceof OvertakenError
          ? "another mirror of this stream is at work; each entry counts once all the same"
          : `${describeError(error)}; trying again`,
      );
    }
    await pause(backoffMs(this.#attempt), signal);
    this.#attempt += 1;
  }

  /** One node of a cluster was named, and it has other slots. */
  #elsewhere(): UserError {
    const { url, stream } = this.options;
    const nodes = parseServerUrl(url).nodes.map(formatEndpoint).join(",");
    return new UserError(
      `${nodes} is a node of a cluster, and ${stream} is on another one; write redis+cluster://${nodes}, which finds it`,
    );
  }

  #summary(): MirrorSummary {
    return {
      source: this.#source,
      entries: this.#entries,
      accepted: this.#counted.accepted,
      rejected: this.#counted.rejected,
      missing: this.#missing,
      position: this.#position?.id ?? null,
      done: this.#isDone,
    };
  }
}

/** What tells a server from others, however its address is spelt and whoever logs in: `10.0.0.7:6379/0`. */
function addressOf(url: string): string {
  const { nodes, masterName, database } = parseServerUrl(url);
  return [nodes.map(formatEndpoint).sort().join(","), ...(masterName ? [masterName] : []), String(database)].join("/");
}

/** `1763640000000-0:52310` */
function formatKept(position: StreamPosition | undefined): string {
  return position === undefined ? "-" : `${position.id}:${position.ordinal}`;
}

function parsePosition(text: string, source: string): StreamPosition {
  const match = /^(\d+-\d+):(-?\d+)$/.exec(text);
  if (match === null) throw new UserError(`the kept position of ${source} is none of a stream: '${text}'`);
  return { id: match[1]!, ordinal: Number(match[2]) };
}

function eventOf({ fields }: Entry): string {
  const event: Record<string, string> = {};
  for (const field of EVENT_FIELDS) if (fields[field] !== undefined) event[field] = fields[field];
  return JSON.stringify(event);
}

/** The time at which the entry was added: what was too old or too far ahead then is so now. */
function clockOf({ id }: Entry): number {
  const ms = Number(id.split("-")[0]);
  return ms < EARLIEST_ID_MS ? Date.now() : Math.min(ms, Date.now());
}
