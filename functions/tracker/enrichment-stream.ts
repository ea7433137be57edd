/**
 * Pages that wait for their metadata, on a stream that a consumer group reads.
 *
 * The document remembers the id of its entry. An entry that is gone before its page was done, because the stream was trimmed
 * or deleted, is noticed by refresh_documents, which announces the page again.
 */
import * as names from "./names";
import { articleNumber } from "./url";

/** About how many entries wait at most: of 200 bytes each they are 20 MB. */
export const MAX_WAITING = 100000;

/** The field of the state hash that counts pages which were announced and are not done. */
export const WAITING_FIELD = "enrich:waiting";

/** Announces a page that is not waiting; the stream and the state hash have been checked. */
export function announce(id: string, url: string): void {
  const article = articleNumber(url);
  const optional = article === "" ? [] : ["article_id", article];
  const entry = redis.call(
    "XADD",
    names.enrichmentStream(),
    "MAXLEN",
    "~",
    `${MAX_WAITING}`,
    "*",
    "id",
    id,
    "url",
    url,
    ...optional,
  );
  redis.call("HSET", names.document("P", id), "announced", entry);
  redis.call("HINCRBY", names.state(), WAITING_FIELD, "1");
}

/** Whether an announcement is still on the stream, which must be one. */
export function isOnStream(entry: string): boolean {
  return redis.call("XRANGE", names.enrichmentStream(), entry, entry).length > 0;
}
