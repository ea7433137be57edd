/** What of a stream may go: entries that every topic on it has read. */
import { cursorField, placeOf, unreadOf, type Place } from "../runtime/stream";
import { onKey } from "../runtime/types";
import { allTopics, configuredTopics, type Topic } from "./topics";

/** Topics that read a stream. The one that is there without being configured does once it has begun to. */
function readersOf(stream: string): Topic[] {
  const configured = new LuaSet<string>();
  for (const { name } of configuredTopics()) configured.add(name);
  const found: Topic[] = [];
  for (const topic of allTopics()) {
    const reads = configured.has(topic.name) || onKey("HGET", topic.state, cursorField(stream)) !== false;
    if (topic.stream === stream && reads) found.push(topic);
  }
  return found;
}

/**
 * Removes entries that all topics on the stream have read, beyond about MAXLEN (the largest of theirs); what one of them has
 * not read is never removed.
 *
 * @param place how far the topic of the call has read
 */
export function trim(topic: Topic, place: Place): void {
  const { stream, settings } = topic;
  const length = redis.call("XLEN", stream);
  if (length <= settings.maxlen) return;
  let unread = unreadOf(stream, place);
  let maxlen = settings.maxlen;
  for (const reader of readersOf(stream)) {
    if (reader.name !== topic.name) unread = Math.max(unread, unreadOf(stream, placeOf(reader.state, stream)));
    maxlen = Math.max(maxlen, reader.settings.maxlen);
  }
  if (length > unread + maxlen) redis.call("XTRIM", stream, "MAXLEN", "~", `${unread + maxlen}`);
}
