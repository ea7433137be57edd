/* Entries that somebody else removes from a stream before they were read. */
import { beforeEach, describe, expect, it } from "vitest";
import { NOON, useNotifier } from "../support/notifier";

const notifier = useNotifier({ persistence: true });
const { record, call, add } = notifier;
const send = (...args: string[]): Promise<unknown> => notifier.client.sendCommand(args);

beforeEach(() => notifier.server.flush());

/** Adds entries 1 to `last`, or from another number on. */
async function put(last: number, first = 1): Promise<void> {
  for (let at = first; at <= last; at += 1)
    await add("packages", `${at}-0`, "seller_id", "10", "package_id", `item ${at}`);
}

const ingest = (limit = 100): Promise<unknown> => record("ingest_scans", "packages", "LIMIT", limit, "NOW", NOON);

async function loss(topic = "packages"): Promise<unknown[]> {
  const status = await record("get_notifier_status", topic, "NOW", NOON);
  return [status["missing"], status["missing_at"], status["begun_anew"]];
}

describe("entries that are missing", () => {
  it("are those that were trimmed before they were read, from the first on", async () => {
    await put(10);
    await send("XTRIM", "packages", "MAXLEN", "=", "4");
    expect(await loss()).toEqual([6, 0, 0]);
    expect(await ingest()).toMatchObject({ read: 4 });
    expect(await loss()).toEqual([6, NOON, 0]);
    await put(20, 11);
    await send("XTRIM", "packages", "MINID", "14-0");
    expect(await ingest(1)).toMatchObject({ read: 1, remaining: 1 });
    expect(await loss()).toEqual([9, NOON, 0]);
    expect(await ingest()).toMatchObject({ read: 6 });
    expect(await loss()).toEqual([9, NOON, 0]);
  });

  it("are none where only what was read is trimmed or deleted", async () => {
    await put(10);
    await ingest(6);
    await send("XTRIM", "packages", "MAXLEN", "=", "6");
    await send("XDEL", "packages", "5-0");
    await ingest(1);
    await send("XTRIM", "packages", "MINID", "8-0");
    expect(await loss()).toEqual([0, 0, 0]);
    await ingest();
    await send("XTRIM", "packages", "MAXLEN", "=", "0");
    await ingest();
    await put(11, 11);
    await ingest();
    expect(await loss()).toEqual([0, 0, 0]);
  });

  it("are also those that were deleted one by one, as soon as the end was read", async () => {
    await put(10);
    await ingest(2);
    await send("XDEL", "packages", "5-0", "9-0", "10-0");
    await ingest(3);
    await ingest();
    expect(await loss()).toEqual([3, NOON, 0]);
    await put(12, 11);
    await send("XDEL", "packages", "11-0", "12-0");
    expect(await ingest()).toMatchObject({ read: 0 });
    expect(await loss()).toEqual([5, NOON, 0]);
  });

  it("of a stream that was deleted are not known; that it was begun anew is", async () => {
    await put(10);
    await ingest(6);
    await send("DEL", "packages");
    expect(await loss()).toEqual([0, 0, 0]);
    await put(3);
    expect(await ingest()).toMatchObject({ read: 3 });
    expect(await loss()).toEqual([0, NOON, 1]);
    await send("DEL", "packages");
    await put(22, 20);
    await send("XTRIM", "packages", "MAXLEN", "=", "1");
    expect(await ingest()).toMatchObject({ read: 1 });
    expect(await loss()).toEqual([2, NOON, 2]);
  });

  it("outlive a restart, and nothing is missing for it", async () => {
    await put(10);
    await send("XTRIM", "packages", "MAXLEN", "=", "8");
    await ingest(4);
    await notifier.server.restart();
    await ingest();
    expect(await loss()).toEqual([2, NOON, 0]);
  });

  it("are counted for each topic by its own cursor", async () => {
    await call("configure_topic", "other", "STREAM", "packages");
    await put(10);
    await ingest();
    await send("XTRIM", "packages", "MAXLEN", "=", "3");
    await record("ingest_scans", "other", "NOW", NOON);
    expect(await loss()).toEqual([0, 0, 0]);
    expect(await loss("other")).toEqual([7, NOON, 0]);
  });

  it("are not counted for a cursor of before positions were kept", async () => {
    await put(10);
    await ingest(6);
    const keys = (await send("KEYS", "H:*")) as string[];
    for (const key of keys) await send("HDEL", key, "position:packages");
    await send("XTRIM", "packages", "MAXLEN", "=", "2");
    await ingest();
    expect(await loss()).toEqual([0, 0, 0]);
  });
});
