/** The notifier's keys, by purpose; every one is built by the key module, but for those that its users name. */
import { asId } from "../runtime/kept";
import { currentPartition, hashTag, key } from "../runtime/keys";

/** Options of topics: topic → JSON. */
export function topics(): string {
  return key("H", "NOTIFIER.TOPICS", "", "", "", "");
}

/** Cursors and counters of a topic. */
export function state(topic: string): string {
  return key("H", "NOTIFIER", "", topic, "", "");
}

/** What is known of the subjects that wait to be quiet: subject → record. */
export function subjects(topic: string): string {
  return key("H", "NOTIFIER.SUBJECTS", "", topic, "", "");
}

/** The subjects that wait to be quiet, by the time at which they will have been. */
export function due(topic: string): string {
  return key("SS", "NOTIFIER.DUE", "", topic, "", "");
}

/** Notifications by state, and the time that goes with it. */
export function notifications(topic: string, queueState: "READY" | "LEASED" | "DEAD"): string {
  return key("SS", `NOTIFIER.${queueState}`, "", topic, "", "");
}

/** Scans that were refused. */
export function rejected(topic: string): string {
  return key("ST", "NOTIFIER.REJECTED", "", topic, "", "");
}

/** What stands before the id in the names of the hash (`H`) and the list (`L`) of a notification; `END` stands after it. */
export function notificationStart(keyType: "H" | "L", topic: string): string {
  return `${keyType}:NOTIFICATION::${currentPartition()}${topic}/`;
}

export const END = "::";

/** The items of a long list, for looking one up. */
export function seen(topic: string, subject: string): string {
  return key("S", "NOTIFIER.SEEN", "", redis.sha1hex(`${topic}/${subject}`), "", "");
}

/** A scan that was taken under an id. */
export function scanId(topic: string, id: string): string {
  return key("STR", "SCAN", "", asId(`${topic}/${id}`), "", "");
}

/** A stream that its users name, in the partition of the call: its hash tag is put before it, unless it is there. */
export function userStream(name: string): string {
  const partition = currentPartition();
  return hashTag(name) === partition ? name : partition + name;
}

/** What stands before the subject in the name of its list: the user's prefix, and the partition of the call. */
export function userPrefix(prefix: string): string {
  return prefix + currentPartition();
}
