/*
 * A host for the crash tests: ingests and rotates, slice by slice, until nothing is left. Says a line after each round, and
 * `finished` at the end.
 */
import { createClient } from "@redis/client";
import { record } from "./tracker-model";

const [url = "", nowMs = "", limit = ""] = process.argv.slice(2);
const client = createClient({ url, RESP: 2 });
await client.connect();
for (let isLeft = true, round = 1; isLeft; round += 1) {
  isLeft = false;
  for (const name of ["ingest_events", "rotate_pg", "rotate_ud"]) {
    const reply = await record(client, name, "LIMIT", limit, "NOW", nowMs);
    if (reply!["remaining"] === 1) isLeft = true;
  }
  console.log(`round ${round}`);
}
console.log("finished");
client.destroy();
