/* Events and scans that carry an id count once, by whatever way they come again. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fcall, refusalOf, decodeRecord, loadLibrary } from "../support/functions";
import { useServer } from "../support/server";
import { event, NOON } from "../support/tracker";
import { until } from "../support/wait";

const server = useServer();
beforeAll(async () => {
  for (const library of ["tracker", "notifier"]) await loadLibrary(server.client, library);
});
beforeEach(() => server.flush());

const send = (...words: string[]): Promise<unknown> => server.client.sendCommand(words);
const URL = "http://a.example/x";

describe("an event with an id", () => {
  const named = (id: unknown, device = "d"): string => event(URL, device, NOON, { id });
  const track = async (...events: string[]): Promise<unknown> =>
    decodeRecord(await fcall(server.client, "track_events", ...events, "NOW", NOON));
  const add = (...fields: string[]): Promise<unknown> =>
    send("XADD", "ST:TRACKER::::", "*", "url", URL, "uui", "d", "dt", String(NOON), ...fields);
  const ingest = async (): Promise<unknown> => decodeRecord(await fcall(server.client, "ingest_events", "NOW", NOON));
  const views = (): Promise<unknown> => send("HVALS", `H:1MINUTE.OPEN:W::${NOON}:PG`);

  it("counts once by calls, in one call, and by the stream", async () => {
    expect(await track(named("a"), named("a"), named("b"))).toMatchObject({ accepted: 3, rejected: 0 });
    expect(await views()).toEqual(["2"]);
    expect(await track(named("a"))).toMatchObject({ accepted: 1, rejected: 0 });
    await add("id", "b");
    await add("id", "c");
    await add("id", "c");
    await add("audio", "song", "id", "c");
    await add();
    expect(await ingest()).toMatchObject({ read: 5, accepted: 5, rejected: 0 });
    expect(await views()).toEqual(["4"]);
    expect(await track(named("c"))).toMatchObject({ accepted: 1 });
    expect(await views()).toEqual(["4"]);
    expect(await send("EXISTS", `H:1MINUTE.OPEN:A::${NOON}:PG`)).toBe(0);
  });

  it("is the same as a number and as text, and any text will do; empty and null are none", async () => {
    await track(named(7), named("7"), named("x:y"), named("x:y"), named("é\n"), named("é\n"));
    expect(await views()).toEqual(["3"]);
    await track(named(""), named(null), named(""));
    expect(await views()).toEqual(["6"]);
    expect(await track(named("x".repeat(64)), named("x".repeat(65)), named({}), named(1.5), named(true))).toMatchObject(
      {
        accepted: 1,
        rejected: 4,
        errors: [1, 2, 3, 4].map((at) => [at, "BADEVENT", "id: id must be text of at most 64 bytes"]),
      },
    );
  });

  it("that was refused is not kept: the same id counts later", async () => {
    expect(await track(event("ftp://x/", "d", NOON, { id: "a" }), named("a"))).toMatchObject({
      accepted: 1,
      rejected: 1,
    });
    expect(await views()).toEqual(["1"]);
    await send("SET", `S:5MINUTES.OPEN:P::${NOON}:UD`, "foreign");
    const other = event("http://a.example/other", "d", NOON, { id: "b" });
    await send("DEL", `H:1MINUTE.OPEN:W::${NOON}:PG`);
    expect(await refusalOf(track(other))).toMatch(/^CONFLICT/);
    await send("DEL", `S:5MINUTES.OPEN:P::${NOON}:UD`);
    expect(await track(other)).toMatchObject({ accepted: 1 });
    expect(await views()).toEqual(["1"]);
  });

  it("is another one in another partition", async () => {
    for (const tag of ["{a}", "{b}"]) {
      const call = (): Promise<unknown> => send("FCALL", "track_events", "1", tag, named("a"), "NOW", String(NOON));
      await call();
      await call();
      expect(await send("HVALS", `H:1MINUTE.OPEN:W:${tag}:${NOON}:PG`)).toEqual(["1"]);
    }
  });

  it("counts again after ID_KEEP, ten minutes unless it is set", async () => {
    await track(named("a"));
    expect(await send("PTTL", "STR:EVENT::a::")).toBeGreaterThan(590_000);
    expect(await send("PTTL", "STR:EVENT::a::")).toBeLessThanOrEqual(600_000);
    await fcall(server.client, "configure_tracker", "ID_KEEP", 1000);
    expect(decodeRecord(await fcall(server.client, "get_tracker_config"))).toMatchObject({ id_keep: 1000 });
    await track(named("b"));
    await until(async () => (await send("EXISTS", "STR:EVENT::b::")) === 0);
    await track(named("b"));
    expect(await views()).toEqual(["3"]);
  });

  it("takes the memory that the documentation says", async () => {
    await track(named("0123456789abcdef0123456789abcdef"));
    const bytes = (await send("MEMORY", "USAGE", "STR:EVENT::0123456789abcdef0123456789abcdef::")) as number;
    // MEMORY USAGE leaves out the entry in the table of expiry times.
    expect(bytes + 40).toBeLessThanOrEqual(200);
  });
});

describe("a scan with an id", () => {
  const TOPIC = "packages";
  const DUE = NOON + 3_600_000;
  const scan = (item: string, nowMs: number, ...more: string[]): Promise<unknown> =>
    fcall(server.client, "scan_item", TOPIC, "10", item, "NOW", nowMs, ...more);
  const items = (): Promise<unknown> => send("LRANGE", "SELLER:10", "0", "-1");

  it("counts once, by calls and by the stream, and does not restart the quiet time", async () => {
    expect(await scan("A", NOON, "ID", "a")).toBe(DUE);
    expect(await scan("A", NOON + 5000, "ID", "a")).toBe(DUE);
    for (const [seq, id] of ["a", "b", "b"].entries())
      await send("XADD", TOPIC, `${NOON + 5000}-${seq + 1}`, "seller_id", "10", "package_id", `${id}${seq}`, "id", id);
    const reply = await fcall(server.client, "ingest_scans", TOPIC, "NOW", NOON + 5000);
    expect(decodeRecord(reply)).toMatchObject({ read: 3, accepted: 3, rejected: 0 });
    expect(await items()).toEqual(["A", "b1"]);
    expect(await scan("C", NOON + 6000, "ID", "b")).toBe(DUE + 5000);
    expect(await items()).toEqual(["A", "b1"]);
  });

  it("that comes again when its subject waits no more changes nothing, and answers 0", async () => {
    await scan("A", NOON, "ID", "a");
    await fcall(server.client, "claim_notifications", TOPIC, "NOW", DUE);
    expect(await scan("A", DUE + 1, "ID", "a")).toBe(0);
    expect(await items()).toEqual([]);
  });

  it("is another one in another topic, and is refused if it is too long", async () => {
    await fcall(server.client, "configure_topic", "others", "ID_KEEP", 2000);
    await scan("A", NOON, "ID", "a");
    await fcall(server.client, "scan_item", "others", "10", "A", "NOW", NOON, "ID", "a");
    expect(await send("LRANGE", "ITEMS:others:10", "0", "-1")).toEqual(["A"]);
    expect(await send("PTTL", "STR:SCAN::others/a::")).toBeLessThanOrEqual(2000);
    expect(await refusalOf(scan("A", NOON, "ID", "x".repeat(65)))).toMatch(/^BADARG ID must be text of 1 to 64 bytes/);
    await send("XADD", TOPIC, "*", "seller_id", "10", "package_id", "B", "id", "x".repeat(65));
    const reply = await fcall(server.client, "ingest_scans", TOPIC);
    expect(decodeRecord(reply)).toMatchObject({ read: 1, accepted: 0, rejected: 1 });
  });
});
