/** The stream on which new pages are announced, read by a consumer group: each entry is in one host's hands at a time. */
import { KEYS } from "../../contract";
import type { Connection } from "../../redis/connection";
import { ReplyError } from "../../runtime/errors";
import { keyIn, routingOf } from "../../redis/partitions";
import { HOUR_MS } from "../../runtime/time";

export const GROUP = "enrich";

/** The stream of a partition; of all there is without one. */
export function announcementStreamOf(partition: string | null): string {
  return keyIn(KEYS.announcements, partition);
}

export interface Announcement {
  entryId: string;
  pageId: string;
  /** Without a scheme. */
  url: string;
  /** Empty if there is none. */
  articleId: string;
}

/** An entry that was delivered and is not done. */
export interface PendingEntry {
  entryId: string;
  /** Since it was delivered, claimed, or held. */
  idleMs: number;
  /** How often it was delivered. */
  deliveries: number;
}

type StreamEntry = [id: string, fields: string[] | null];

/** A host that has not read for so long and holds nothing is gone; its name stays in the group until somebody removes it. */
const GONE_MS = HOUR_MS;

export class Announcements {
  readonly #key: string;
  readonly #routing: { routingKey?: string };

  /**
   * @param partition of a cluster; null without one
   * @param consumer names this host in the group
   */
  constructor(
    private readonly connection: Connection,
    partition: string | null,
    private readonly consumer: string,
  ) {
    this.#key = announcementStreamOf(partition);
    this.#routing = routingOf(partition);
  }

  /**
   * Makes stream and group where they are missing, and removes names of hosts that are gone.
   *
   * @param goneMs after so long without a sign of life a host that holds nothing is gone
   */
  async prepare(goneMs = GONE_MS): Promise<void> {
    try {
      // From the first entry on: pages may have been announced before the first host came.
      await this.#send(["XGROUP", "CREATE", this.#key, GROUP, "0", "MKSTREAM"]);
    } catch (error) {
      if (!(error instanceof ReplyError) || error.code !== "BUSYGROUP") throw error;
    }
    const consumers = (await this.#send(["XINFO", "CONSUMERS", this.#key, GROUP])) as (string | number)[][];
    for (const consumer of consumers.map(toRecord)) {
      // Removing one that holds entries would lose them.
      if (consumer["pending"] === 0 && Number(consumer["idle"]) > goneMs) {
        await this.#send(["XGROUP", "DELCONSUMER", this.#key, GROUP, String(consumer["name"])]);
      }
    }
  }

  /**
   * Entries that no host has read yet. They count as delivered once.
   *
   * @param blockMs how long to wait for the first; not at all if undefined
   * @param reading another connection, if it is to wait
   */
  async readNew(count: number, blockMs?: number, reading: Connection = this.connection): Promise<Announcement[]> {
    const block = blockMs === undefined ? [] : ["BLOCK", String(blockMs)];
    const command = ["XREADGROUP", "GROUP", GROUP, this.consumer, "COUNT", String(count), ...block];
    const reply = await reading.send([...command, "STREAMS", this.#key, ">"], this.#routing);
    const [stream] = (reply ?? []) as [key: string, entries: StreamEntry[]][];
    return (stream?.[1] ?? []).map(toAnnouncement);
  }

  /** Entries that are not done, of all hosts, in the order of the stream after an id. */
  async pending(afterId: string | undefined, count: number): Promise<PendingEntry[]> {
    const start = afterId === undefined ? "-" : `(${afterId}`;
    // Without IDLE: the server would go through all of them to find a few.
    const reply = await this.#send(["XPENDING", this.#key, GROUP, start, "+", String(count)]);
    return (reply as [string, string, number, number][]).map(([entryId, , idleMs, deliveries]) => ({
      entryId,
      idleMs,
      deliveries,
    }));
  }

  /**
   * Takes an entry over, unless somebody was faster. It counts as delivered once more.
   *
   * @returns undefined if it is held, done, or deleted
   */
  async claim(entryId: string, minIdleMs: number): Promise<Announcement | undefined> {
    const idle = String(Math.ceil(minIdleMs));
    const reply = await this.#send(["XCLAIM", this.#key, GROUP, this.consumer, idle, entryId]);
    const [entry] = reply as (StreamEntry | null)[];
    return entry?.[1] ? toAnnouncement(entry) : undefined;
  }

  /** Says that entries are still worked on. */
  async hold(entryIds: readonly string[]): Promise<void> {
    if (entryIds.length === 0) return;
    await this.#send(["XCLAIM", this.#key, GROUP, this.consumer, "0", ...entryIds, "JUSTID"]);
  }

  /**
   * Leaves an entry to whoever claims it next.
   *
   * @param deliveries as often as it counts as delivered from now on
   * @param idleMs as long as it counts as idle from now on
   */
  async putBack(entryId: string, deliveries: number, idleMs: number): Promise<void> {
    const state = ["IDLE", String(Math.ceil(idleMs)), "RETRYCOUNT", String(deliveries)];
    await this.#send(["XCLAIM", this.#key, GROUP, this.consumer, "0", entryId, ...state, "JUSTID"]);
  }

  /** An entry is done. */
  async finish(entryId: string): Promise<void> {
    // In this order: an entry that is deleted and still pending goes with the next claim, one that is acknowledged and
    // not deleted would stay for ever.
    await this.#send(["XDEL", this.#key, entryId]);
    await this.#send(["XACK", this.#key, GROUP, entryId]);
  }

  #send(command: string[]): Promise<unknown> {
    return this.connection.send(command, this.#routing);
  }
}

function toRecord(flat: (string | number)[]): Record<string, string | number> {
  const record: Record<string, string | number> = {};
  for (let at = 0; at + 1 < flat.length; at += 2) record[String(flat[at])] = flat[at + 1]!;
  return record;
}

function toAnnouncement([entryId, fields]: StreamEntry): Announcement {
  const { id = "", url = "", article_id: articleId = "" } = toRecord(fields ?? []);
  return { entryId, pageId: String(id), url: String(url), articleId: String(articleId) };
}
