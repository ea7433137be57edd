/** JSON that the catalogue takes and answers; for the build alone. */
import { anything, arrayOf, integer, mapOf, object, orNull, string, word, type Schemas } from "../runtime/schema";
import { CONTENT } from "./product";
import { STATES } from "./tasks/records";

const TASK = {
  id: string(),
  queue: string(),
  type: string(),
  priority: integer("0 goes out first"),
  attempt: integer("how often it was given out"),
  enqueued_at: integer("when it was enqueued", "unix_ms"),
};
const PAYLOAD = mapOf(anything("whatever was enqueued"), "what was enqueued, as it came");

export const schemas: Schemas = {
  Product: object("A product; null for what it does not have.", {
    id: string("SHA-1 of `vendor/sku`, in hex"),
    vendor: string(),
    sku: string(),
    name: orNull(string()),
    price: orNull(string("decimal: `1299.00`")),
    availability: orNull(string("a word of the vendor's")),
    brand: orNull(string()),
    release_year: orNull(integer()),
    link: orNull(string("absolute http(s) address")),
    created_at: integer("when it was made", "unix_ms"),
    last_synced_at: integer("when it was last synced", "unix_ms"),
  }),
  ProductInput: object(
    "A product as a vendor has it; a field that is left out stays as it is, null removes it.",
    { sku: string("at most 128 bytes") },
    {
      name: orNull(string("at most 512 bytes; a new product must have one")),
      price: { type: ["string", "number", "null"], description: "`$3.98`, `1,299.00 $`, `1.299,00 €`, or a number" },
      availability: orNull(string("any word of the vendor's, at most 64 bytes")),
      brand: orNull(string("at most 128 bytes")),
      release_year: orNull(integer("1 to 9999")),
      link: orNull(string("absolute http(s) address, at most 2,048 bytes")),
      id: string("if given, that of this product"),
      vendor: string("if given, that of this product"),
      created_at: anything("ignored"),
      last_synced_at: anything("ignored"),
    },
  ),
  Change: object("A change of a field.", {
    at: integer("clock of the call that changed it", "unix_ms"),
    field: word(CONTENT),
    old: { type: ["string", "integer", "null"], description: "null for none" },
    new: { type: ["string", "integer", "null"], description: "null for none" },
  }),
  Link: object("A link, and what came of looking at it; null for what is not known.", {
    url: string(),
    name: string(),
    year: integer(),
    checked_at: orNull(integer("when it was last looked at", "unix_ms")),
    scraped_at: orNull(integer("when a look last succeeded", "unix_ms")),
    status: orNull(integer("HTTP status")),
    failures: orNull(integer("in a row; null before the first look")),
    outcome: orNull(string("of the last look: scraped, unchanged, gone or failed")),
    etag: orNull(string("validator for a conditional request")),
    modified: orNull(string("validator for a conditional request")),
    product: orNull(string("id of the product that it shows")),
    reason: orNull(string("of the last failure")),
  }),
  Links: mapOf(string("name, at most 512 bytes"), "Address to name, at most 1,000."),
  Audit: mapOf(arrayOf(string()), "Audited fields of each model."),
  TaskInput: object("A task: whatever its worker needs.", { type: string("one that define_task made") }, {}, true),
  Result: mapOf(anything("whatever its worker says"), "What came of a task."),
  TaskClaimed: object(
    "A task that is out under a lease.",
    {
      ...TASK,
      token: string("of the lease, for the calls that end it"),
      lease_until: integer("when its lease ends", "unix_ms"),
      payload: PAYLOAD,
    },
    { parent: string("id of its parent") },
  ),
  Task: object(
    "A task.",
    {
      ...TASK,
      state: word(STATES),
      at: orNull(
        integer(
          "when it may go out, when its lease ends, since when it is held or waits for its children, or when it ended",
          "unix_ms",
        ),
      ),
      payload: PAYLOAD,
    },
    {
      worker: string("who had it last"),
      reason: string("of its last failure"),
      parent: string("id of its parent"),
      held_by: string("the hook that it is held by"),
      hook: word(["pre", "post"]),
      task: string("the one that it is a hook of"),
      result: mapOf(anything("whatever its worker says"), "What came of it."),
      children_total: integer(),
      children_finished: integer(),
      children_failed: integer("dead ones"),
      children_cancelled: integer(),
      children_ms: integer("from the enqueueing of the first to the end of the last", "ms"),
    },
  ),
};
