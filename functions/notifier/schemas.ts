/** JSON that the notifier answers; for the build alone. */
import { arrayOf, integer, object, string, word, type Schemas } from "../runtime/schema";

const HEAD = {
  id: string("SHA-1 in hex, the same in every attempt"),
  topic: string(),
  subject: string("who is notified"),
};
const SCANS = {
  first_at: integer("when the first item was scanned", "unix_ms"),
  last_at: integer("when the last item was scanned", "unix_ms"),
};

export const schemas: Schemas = {
  Notification: object("A notification that is out under a lease.", {
    ...HEAD,
    token: string("of the lease, for ack_notification and fail_notification"),
    items: arrayOf(string(), "in the order of their first scan"),
    ...SCANS,
    attempt: integer("from 1"),
  }),
  NotificationListed: object(
    "A notification in a list.",
    {
      ...HEAD,
      state: word(["waiting", "leased", "dead"]),
      items: arrayOf(string(), "the first ten"),
      count: integer("of all its items"),
      ...SCANS,
      attempt: integer("how often it was out"),
      at: integer("when it is due or may go out again, when its lease ends, or when it died", "unix_ms"),
    },
    { worker: string("who had it last"), reason: string("of its last failure") },
  ),
};
