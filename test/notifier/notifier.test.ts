/* The notifier's functions: contract, each error, both ends of each bound. */
import { beforeEach, describe, expect, it } from "vitest";
import { allKeys, digest } from "../support/tracker";
import { HOUR, MINUTE, NOON, SECOND, useNotifier, type Claimed } from "../support/notifier";

const notifier = useNotifier();
const { call, record, refusal, claim, list, add } = notifier;
const UNKNOWN_ID = "0".repeat(40);

beforeEach(() => notifier.server.flush());

const scan = (subject: string, item: string, nowMs: number): Promise<unknown> =>
  call("scan_item", "packages", subject, item, "NOW", nowMs);
const put = (id: string, subject: string, item: string): Promise<string> =>
  add("packages", id, "seller_id", subject, "package_id", item);
const listOf = (subject: string): Promise<string[]> => notifier.client.lRange(`SELLER:${subject}`, 0, -1);
const status = (): Promise<Record<string, unknown>> => record("get_notifier_status", "packages", "NOW", NOON);

/** Scans one item of a subject at noon and claims it an hour later. */
async function claimed(subject = "10", ...args: (string | number)[]): Promise<Claimed> {
  await scan(subject, "A", NOON);
  const found = await claim("packages", "NOW", NOON + HOUR, ...args);
  return found.claimed[0]!;
}

describe("scan_item", () => {
  it("answers when the subject is due; each scan restarts the quiet time, a repeat too", async () => {
    expect(await scan("10", "A", NOON)).toBe(NOON + HOUR);
    expect(await scan("10", "B", NOON + MINUTE)).toBe(NOON + HOUR + MINUTE);
    expect(await scan("10", "A", NOON + 2 * MINUTE)).toBe(NOON + HOUR + 2 * MINUTE);
    expect(await listOf("10")).toEqual(["A", "B"]);
  });

  it("a scan that comes late does not bring the due time forward", async () => {
    await scan("10", "A", NOON);
    expect(await scan("10", "B", NOON - 30 * MINUTE)).toBe(NOON + HOUR);
    const { claimed: found } = await claim("packages", "NOW", NOON + HOUR);
    expect(found[0]).toMatchObject({ items: ["A", "B"], first_at: NOON - 30 * MINUTE, last_at: NOON });
  });

  it("takes subjects of 1 to 256 bytes and items of 1 to 1,024, of any bytes", async () => {
    for (const subject of ["x", "é".repeat(128), "with space:and:colons{x}"])
      expect(await scan(subject, "A", NOON)).toBe(NOON + HOUR);
    for (const item of ["i", "é".repeat(512), "a\r\n\0b"]) expect(await scan("10", item, NOON)).toBe(NOON + HOUR);
    expect(await refusal("scan_item", "packages", "x".repeat(257), "A")).toMatch(
      /^BADARG subject must be text of 1 to 256 bytes/,
    );
    expect(await refusal("scan_item", "packages", "10", "x".repeat(1025))).toMatch(
      /^BADARG item must be text of 1 to 1024 bytes/,
    );
    const { claimed: found } = await claim("packages", "NOW", NOON + HOUR);
    expect(found.find(({ subject }) => subject === "10")!.items).toEqual(["i", "é".repeat(512), "a\r\n\0b"]);
  });

  it("has the server's time without NOW", async () => {
    const before = Date.now();
    const due = (await call("scan_item", "packages", "10", "A")) as number;
    expect(due).toBeGreaterThanOrEqual(before + HOUR - 60 * SECOND);
    expect(due).toBeLessThanOrEqual(Date.now() + HOUR + 60 * SECOND);
  });
});

describe("distinct items", () => {
  it.each([1, 63, 64, 65, 66, 300, 3000])("of a subject with %d", async (count) => {
    const items = Array.from({ length: count }, (_, at) => `P${at}`);
    for (const item of [...items, ...items]) await put("*", "10", item);
    while ((await record("ingest_scans", "packages", "LIMIT", 50))["remaining"] === 1);
    expect(await listOf("10")).toEqual(items);
    for (const item of [items[0]!, items.at(-1)!, "new"]) await call("scan_item", "packages", "10", item);
    expect(await listOf("10")).toEqual([...items, "new"]);
  });

  it("in one call as well", async () => {
    for (const item of ["A", "A", "B", "A", "C", "B"]) await put("*", "10", item);
    await record("ingest_scans", "packages");
    expect(await listOf("10")).toEqual(["A", "B", "C"]);
  });

  it.each([2, 100])("after somebody has deleted a list of %d items, they are listed again", async (count) => {
    const items = Array.from({ length: count }, (_, at) => `P${at}`);
    for (const item of items) await scan("10", item, NOON);
    await notifier.client.del("SELLER:10");
    for (const item of items.toReversed()) await scan("10", item, NOON);
    expect(await listOf("10")).toEqual(items.toReversed());
  });

  it("after somebody has cut a long list, what is gone is listed again, and what is there is not lost", async () => {
    const items = Array.from({ length: 100 }, (_, at) => `P${at}`);
    for (const item of items) await scan("10", item, NOON);
    for (const left of [70, 10]) {
      await notifier.client.lTrim("SELLER:10", 0, left - 1);
      for (const item of items) await scan("10", item, NOON);
      expect(new Set(await listOf("10"))).toEqual(new Set(items));
      expect((await listOf("10")).slice(0, left)).toEqual(items.slice(0, left));
    }
  });

  it("a list that was there before is gone on with", async () => {
    await notifier.client.rPush("SELLER:10", ["X", "Y"]);
    await scan("10", "Y", NOON);
    await scan("10", "Z", NOON);
    expect((await claim("packages", "NOW", NOON + HOUR)).claimed[0]!.items).toEqual(["X", "Y", "Z"]);
  });

  it("leaves nothing beside the list once the notification is out", async () => {
    for (let at = 0; at < 100; at += 1) await scan("10", `P${at}`, NOON);
    expect((await allKeys(notifier.client)).filter((key) => key.startsWith("S:"))).toHaveLength(1);
    await claim("packages", "NOW", NOON + HOUR);
    expect((await allKeys(notifier.client)).filter((key) => key.startsWith("S:") || key.startsWith("SELLER:"))).toEqual(
      [],
    );
  });
});

describe("ingest_scans", () => {
  it("reads each entry once, in slices", async () => {
    for (let at = 0; at < 25; at += 1) await put(`${NOON}-${at}`, String(at % 3), `P${at}`);
    const reads: unknown[] = [];
    for (let calls = 0; calls < 4; calls += 1)
      reads.push(await record("ingest_scans", "packages", "LIMIT", 10, "NOW", NOON));
    expect(reads).toEqual([
      { read: 10, accepted: 10, rejected: 0, remaining: 1 },
      { read: 10, accepted: 10, rejected: 0, remaining: 1 },
      { read: 5, accepted: 5, rejected: 0, remaining: 0 },
      { read: 0, accepted: 0, rejected: 0, remaining: 0 },
    ]);
    expect(await listOf("0")).toEqual(["P0", "P3", "P6", "P9", "P12", "P15", "P18", "P21", "P24"]);
  });

  it("a limit beyond a thousand takes that many", async () => {
    await Promise.all(Array.from({ length: 2500 }, (_, at) => put("*", String(at % 7), `P${at}`)));
    expect(await record("ingest_scans", "packages", "LIMIT", 2400)).toEqual({
      read: 2400,
      accepted: 2400,
      rejected: 0,
      remaining: 1,
    });
    expect(await record("ingest_scans", "packages", "LIMIT", 10_000)).toEqual({
      read: 100,
      accepted: 100,
      rejected: 0,
      remaining: 0,
    });
  });

  it("a scan has the time of its entry, but never a later one than the call", async () => {
    await put(`${NOON - 20 * MINUTE}-0`, "10", "A");
    await put(`${NOON + 24 * HOUR}-0`, "20", "B");
    await record("ingest_scans", "packages", "NOW", NOON);
    const { listed } = await list("packages");
    expect(listed.map(({ subject, at }) => [subject, at])).toEqual([
      ["10", NOON + 40 * MINUTE],
      ["20", NOON + HOUR],
    ]);
  });

  it("bad entries are counted by reason and kept, and stop no good one", async () => {
    await add("packages", `${NOON}-0`, "seller_id", "10");
    await add("packages", `${NOON}-1`, "package_id", "A");
    await put(`${NOON}-2`, "", "A");
    await put(`${NOON}-3`, "10", "");
    await put(`${NOON}-4`, "x".repeat(257), "A");
    await put(`${NOON}-5`, "10", "x".repeat(1025));
    await put(`${NOON}-6`, "s".repeat(1_000_000), "A");
    await add("packages", `${NOON}-7`, "other", "x", "package_id", "GOOD", "seller_id", "10");
    await put(`${NOON}-8`, "s".repeat(256), "i".repeat(1024));
    expect(await record("ingest_scans", "packages", "NOW", NOON)).toEqual({
      read: 9,
      accepted: 2,
      rejected: 7,
      remaining: 0,
    });
    expect(await listOf("10")).toEqual(["GOOD"]);
    expect((await status())["rejected"]).toEqual([
      ["subject", 4],
      ["item", 3],
    ]);
    const kept = (await notifier.client.xRange("ST:NOTIFIER.REJECTED::packages::", "-", "+")) ?? [];
    expect(kept).toHaveLength(7);
    expect(kept[0]!.message).toEqual({ reason: "item", event: '{"seller_id":"10"}', at: String(NOON) });
    for (const { message } of kept) expect(message["event"]!.length).toBeLessThanOrEqual(4096);
  });

  it("what was read is trimmed to about MAXLEN, what was not is never", async () => {
    await call("configure_topic", "packages", "MAXLEN", 100);
    await Promise.all(Array.from({ length: 3000 }, (_, at) => put("*", "10", `P${at}`)));
    await record("ingest_scans", "packages", "LIMIT", 1000);
    const left = await notifier.client.xLen("packages");
    expect(left).toBeGreaterThanOrEqual(2100);
    expect(left).toBeLessThan(2300);
    while ((await record("ingest_scans", "packages"))["remaining"] === 1);
    expect(await notifier.client.xLen("packages")).toBeLessThan(300);
    expect(await notifier.client.lLen("SELLER:10")).toBe(3000);
  });

  it("a stream that was deleted and begun anew by a clock behind is read from its start", async () => {
    await put(`${NOON}-0`, "10", "A");
    await record("ingest_scans", "packages", "NOW", NOON);
    await notifier.client.del("packages");
    await put(`${NOON - HOUR}-0`, "10", "B");
    expect(await record("ingest_scans", "packages", "NOW", NOON)).toMatchObject({ read: 1, accepted: 1 });
    expect(await listOf("10")).toEqual(["A", "B"]);
  });

  it("without a stream there is nothing to read", async () => {
    expect(await record("ingest_scans", "packages")).toEqual({ read: 0, accepted: 0, rejected: 0, remaining: 0 });
    expect(await allKeys(notifier.client)).toEqual([]);
  });
});

describe("claim_notifications", () => {
  it("gives out those that are due, first those that have been for longest, and tells when the next one is", async () => {
    for (const [at, subject] of ["30", "10", "20"].entries()) await scan(subject, "A", NOON + at * MINUTE);
    const first = await claim("packages", "COUNT", 1, "NOW", NOON + HOUR + MINUTE);
    expect(first.claimed.map(({ subject }) => subject)).toEqual(["30"]);
    // One more is due already.
    expect(first.next).toBe(NOON + HOUR + MINUTE);
    const second = await claim("packages", "NOW", NOON + HOUR + MINUTE);
    expect(second.claimed.map(({ subject }) => subject)).toEqual(["10"]);
    // Leases last a minute.
    expect(second.next).toBe(NOON + HOUR + 2 * MINUTE);
  });

  it("answers nil where nothing waits", async () => {
    expect(await claim("packages")).toEqual({ next: null, claimed: [] });
  });

  it("a scan while it is out begins the next one", async () => {
    const first = await claimed();
    expect(await listOf("10")).toEqual([]);
    await scan("10", "A", NOON + HOUR + 1);
    await scan("10", "B", NOON + HOUR + 2);
    expect(await listOf("10")).toEqual(["A", "B"]);
    await call("ack_notification", "packages", first.id, "TOKEN", first.token);
    const {
      claimed: [second],
    } = await claim("packages", "NOW", NOON + 2 * HOUR + 2);
    expect(second).toMatchObject({ subject: "10", items: ["A", "B"], attempt: 1 });
    expect(second!.id).not.toBe(first.id);
  });

  it("the id is listed before it is out, and the same in every attempt", async () => {
    await scan("10", "A", NOON);
    const {
      listed: [waiting],
    } = await list("packages");
    const first = await claim("packages", "NOW", NOON + HOUR);
    expect(first.claimed[0]!.id).toBe(waiting!.id);
    const {
      claimed: [again],
    } = await claim("packages", "NOW", NOON + HOUR + MINUTE);
    expect(again).toMatchObject({ id: waiting!.id, attempt: 2 });
    expect(again!.token).not.toBe(first.claimed[0]!.token);
  });

  it("ids of an emptied database are not given again", async () => {
    const first = await claimed();
    await notifier.server.flush();
    const serverMs = async (): Promise<number> => {
      const [seconds, micros] = (await notifier.client.sendCommand(["TIME"])) as unknown as [string, string];
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    };
    const start = await serverMs();
    while ((await serverMs()) === start);
    expect((await claimed()).id).not.toBe(first.id);
  });

  it.each([
    [1000, [1000]],
    [1001, [1000, 1]],
    [2500, [1000, 1000, 500]],
  ])("%d items go out as notifications of %j", async (count, sizes) => {
    const items = Array.from({ length: count }, (_, at) => `P${at}`);
    await Promise.all(items.map((item) => put("*", "10", item)));
    while ((await record("ingest_scans", "packages", "LIMIT", 1000))["remaining"] === 1);
    const nowMs = Date.now() + 2 * HOUR;
    const found: Claimed[] = [];
    for (let next: number | null = nowMs; next !== null && next <= nowMs;) {
      const reply = await claim("packages", "NOW", nowMs);
      found.push(...reply.claimed);
      next = reply.next;
    }
    expect(found.map((each) => each.items.length)).toEqual(sizes);
    expect(found.flatMap((each) => each.items)).toEqual(items);
    expect(new Set(found.map(({ id }) => id)).size).toBe(sizes.length);
    expect(new Set(found.map((each) => `${each.subject} ${each.first_at} ${each.last_at}`)).size).toBe(1);
  });

  it("a reply has about a thousand items altogether", async () => {
    for (const subject of ["1", "2", "3"])
      await Promise.all(Array.from({ length: 600 }, (_, at) => put("*", subject, `P${at}`)));
    while ((await record("ingest_scans", "packages"))["remaining"] === 1);
    const nowMs = Date.now() + 2 * HOUR;
    expect((await claim("packages", "NOW", nowMs)).claimed).toHaveLength(2);
    expect((await claim("packages", "NOW", nowMs)).claimed).toHaveLength(1);
  });

  it("while entries are unread, nobody is quiet beyond the time of the first of them", async () => {
    await put(`${NOON}-0`, "10", "A");
    await put(`${NOON}-1`, "20", "A");
    await put(`${NOON + 30 * MINUTE}-0`, "10", "B");
    await put(`${NOON + HOUR}-0`, "30", "A");
    const nowMs = NOON + 3 * HOUR;
    await record("ingest_scans", "packages", "LIMIT", 2, "NOW", nowMs);
    const held = await claim("packages", "NOW", nowMs);
    expect(held.claimed).toEqual([]);
    expect(held.next).toBeGreaterThan(nowMs);
    await record("ingest_scans", "packages", "LIMIT", 1, "NOW", nowMs);
    // Up to 13:00 all is known: seller 20 was quiet, seller 10 is not yet.
    expect((await claim("packages", "NOW", nowMs)).claimed.map(({ subject }) => subject)).toEqual(["20"]);
    await record("ingest_scans", "packages", "NOW", nowMs);
    expect((await claim("packages", "NOW", nowMs)).claimed.map(({ subject, items }) => [subject, items])).toEqual([
      ["10", ["A", "B"]],
      ["30", ["A"]],
    ]);
  });

  it("a list that somebody deleted is forgotten", async () => {
    await scan("10", "A", NOON);
    await notifier.client.del("SELLER:10");
    expect(await claim("packages", "NOW", NOON + HOUR)).toEqual({ next: null, claimed: [] });
    expect((await status())["collecting"]).toBe(0);
  });

  it("a notification of which somebody deleted the items or the record is forgotten", async () => {
    const first = await claimed();
    await notifier.client.del(`L:NOTIFICATION::packages/${first.id}::`);
    expect(await claim("packages", "NOW", NOON + 2 * HOUR)).toEqual({ next: null, claimed: [] });
    const second = await claimed("20");
    await notifier.client.del(`H:NOTIFICATION::packages/${second.id}::`);
    expect(await claim("packages", "NOW", NOON + 2 * HOUR)).toEqual({ next: null, claimed: [] });
  });

  it("a subject of which somebody deleted the record is notified of what its list holds", async () => {
    await scan("10", "A", NOON);
    await notifier.client.del("H:NOTIFIER.SUBJECTS::packages::");
    expect((await claim("packages", "NOW", NOON + HOUR)).claimed[0]).toMatchObject({
      subject: "10",
      items: ["A"],
      first_at: NOON,
      last_at: NOON,
    });
  });
});

describe("leases", () => {
  it("one that is not ended comes back and has used an attempt; after ATTEMPTS it is dead", async () => {
    await call("configure_topic", "packages", "ATTEMPTS", 3, "LEASE", 1000);
    await scan("10", "A", NOON);
    const start = NOON + HOUR;
    for (const attempt of [1, 2, 3]) {
      const nowMs = start + (attempt - 1) * 1000;
      if (attempt > 1) expect((await claim("packages", "NOW", nowMs - 1)).claimed).toEqual([]);
      expect((await claim("packages", "NOW", nowMs, "WORKER", `w${attempt}`)).claimed[0]).toMatchObject({ attempt });
    }
    expect(await claim("packages", "NOW", start + 3000)).toEqual({ next: null, claimed: [] });
    const { total, listed } = await list("packages", "STATE", "dead");
    expect(total).toBe(1);
    expect(listed[0]).toMatchObject({
      state: "dead",
      attempt: 3,
      at: start + 3000,
      worker: "w3",
      reason: "the lease of w3 ended",
      items: ["A"],
      count: 1,
    });
  });

  it("a failure waits BACKOFF × 2^(attempt − 1), an hour at most", async () => {
    await call("configure_topic", "packages", "ATTEMPTS", 20, "BACKOFF", 10 * SECOND);
    await scan("10", "A", NOON);
    let nowMs = NOON + HOUR;
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      const {
        claimed: [each],
      } = await claim("packages", "NOW", nowMs);
      expect(each!.attempt).toBe(attempt);
      expect(
        await call("fail_notification", "packages", each!.id, "TOKEN", each!.token, "REASON", "503", "NOW", nowMs),
      ).toBe(1);
      const { next, claimed: early } = await claim("packages", "NOW", nowMs + 1);
      expect(early).toEqual([]);
      waits.push(next! - nowMs);
      nowMs = next!;
    }
    expect(waits).toEqual(
      [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600].map((seconds) => seconds * SECOND),
    );
  });

  it("the last failure leaves it dead, with its reason, and retry begins anew", async () => {
    await call("configure_topic", "packages", "ATTEMPTS", 1);
    const { id, token } = await claimed();
    expect(await call("fail_notification", "packages", id, "TOKEN", token, "REASON", "gone", "NOW", NOON + HOUR)).toBe(
      1,
    );
    expect((await list("packages", "STATE", "dead")).listed[0]).toMatchObject({ id, reason: "gone", at: NOON + HOUR });
    expect(await claim("packages", "NOW", NOON + 9 * HOUR)).toEqual({ next: null, claimed: [] });
    expect(await call("retry_notification", "packages", id, "NOW", NOON + 9 * HOUR)).toBe(1);
    expect((await list("packages", "STATE", "dead")).total).toBe(0);
    expect((await claim("packages", "NOW", NOON + 9 * HOUR)).claimed[0]).toMatchObject({
      id,
      attempt: 1,
      items: ["A"],
    });
  });

  it("retry takes one out of its back-off", async () => {
    const { id, token } = await claimed();
    await call("fail_notification", "packages", id, "TOKEN", token, "NOW", NOON + HOUR);
    await call("retry_notification", "packages", id, "NOW", NOON + HOUR);
    expect((await claim("packages", "NOW", NOON + HOUR)).claimed[0]).toMatchObject({ id, attempt: 1 });
  });

  it("who has lost the lease cannot end another's", async () => {
    const lost = await claimed();
    const {
      claimed: [present],
    } = await claim("packages", "NOW", NOON + HOUR + MINUTE);
    for (const name of ["ack_notification", "fail_notification"]) {
      expect(await refusal(name, "packages", lost.id, "TOKEN", lost.token)).toMatch(
        /^CONFLICT notification '[0-9a-f]{40}' is leased under another token than '/,
      );
    }
    expect(await call("ack_notification", "packages", lost.id, "TOKEN", present!.token)).toBe(1);
    expect((await status())["delivered"]).toBe(1);
  });

  it("a lease that ended is still there while nobody has taken it back", async () => {
    const { id, token } = await claimed();
    expect(await call("ack_notification", "packages", id, "TOKEN", token, "NOW", NOON + 9 * HOUR)).toBe(1);
    expect(await claim("packages", "NOW", NOON + 9 * HOUR)).toEqual({ next: null, claimed: [] });
  });

  it("repeated calls find nothing, or no lease", async () => {
    const first = await claimed();
    await call("fail_notification", "packages", first.id, "TOKEN", first.token, "NOW", NOON + HOUR);
    expect(await refusal("fail_notification", "packages", first.id, "TOKEN", first.token)).toMatch(
      /^CONFLICT .* is not leased/,
    );
    expect(await refusal("fail_notification", "packages", first.id)).toMatch(/^CONFLICT .* is not leased/);
    expect(await refusal("ack_notification", "packages", first.id, "TOKEN", first.token)).toMatch(
      /^CONFLICT .* is not leased/,
    );
    const {
      claimed: [second],
    } = await claim("packages", "NOW", NOON + 2 * HOUR);
    await call("ack_notification", "packages", second!.id, "TOKEN", second!.token);
    for (const name of ["ack_notification", "fail_notification", "retry_notification"]) {
      expect(await refusal(name, "packages", second!.id)).toBe(`NOTFOUND there is no notification '${second!.id}'`);
    }
  });

  it("one that is out cannot be retried", async () => {
    const { id } = await claimed();
    expect(await refusal("retry_notification", "packages", id)).toMatch(/^CONFLICT notification .* is leased/);
  });

  it("without a token an operator ends whatever there is", async () => {
    await call("configure_topic", "packages", "ATTEMPTS", 1);
    const dead = await claimed();
    await call("fail_notification", "packages", dead.id, "NOW", NOON + HOUR);
    const out = await claimed("20");
    for (const { id } of [dead, out]) expect(await call("ack_notification", "packages", id)).toBe(1);
    expect(await claim("packages", "NOW", NOON + 9 * HOUR)).toEqual({ next: null, claimed: [] });
    expect((await allKeys(notifier.client)).filter((key) => key.includes("NOTIFICATION"))).toEqual([]);
  });

  it("one topic does not know another's", async () => {
    await call("configure_topic", "orders");
    const { id } = await claimed();
    expect(await refusal("ack_notification", "orders", id)).toMatch(/^NOTFOUND/);
  });
});

describe("MAXWAIT", () => {
  it("caps what a subject that is never quiet waits, from its first scan", async () => {
    await call("configure_topic", "packages", "QUIET", 10 * MINUTE, "MAXWAIT", 25 * MINUTE);
    expect(await scan("10", "A", NOON)).toBe(NOON + 10 * MINUTE);
    expect(await scan("10", "B", NOON + 9 * MINUTE)).toBe(NOON + 19 * MINUTE);
    expect(await scan("10", "C", NOON + 18 * MINUTE)).toBe(NOON + 25 * MINUTE);
    expect(await scan("10", "D", NOON + 24 * MINUTE)).toBe(NOON + 25 * MINUTE);
    expect((await claim("packages", "NOW", NOON + 25 * MINUTE)).claimed[0]!.items).toEqual(["A", "B", "C", "D"]);
    expect(await scan("10", "E", NOON + 26 * MINUTE)).toBe(NOON + 36 * MINUTE);
  });
});

describe("list_notifications", () => {
  it("pages through what waits: what was out before, then what is not quiet yet", async () => {
    for (let at = 0; at < 5; at += 1) await scan(`s${at}`, "A", NOON + at);
    const { claimed: out } = await claim("packages", "COUNT", 2, "NOW", NOON + HOUR + 1);
    for (const [at, { id, token }] of out.entries())
      await call("fail_notification", "packages", id, "TOKEN", token, "NOW", NOON + HOUR + 1 + at);
    const all = await list("packages");
    expect(all.total).toBe(5);
    expect(all.listed.map(({ subject, attempt }) => `${subject} ${attempt}`)).toEqual([
      "s0 1",
      "s1 1",
      "s2 0",
      "s3 0",
      "s4 0",
    ]);
    for (let offset = 0; offset <= 5; offset += 1) {
      for (const count of [1, 2, 3, 1000]) {
        const { total, listed } = await list("packages", "OFFSET", offset, "COUNT", count);
        expect(total).toBe(5);
        expect(listed).toEqual(all.listed.slice(offset, offset + count));
      }
    }
  });

  it("shows the first ten items, and how many there are", async () => {
    for (let at = 0; at < 12; at += 1) await scan("10", `P${at}`, NOON);
    await claim("packages", "NOW", NOON + HOUR);
    const {
      listed: [out],
    } = await list("packages", "STATE", "leased");
    expect(out).toMatchObject({
      count: 12,
      items: Array.from({ length: 10 }, (_, at) => `P${at}`),
      state: "leased",
      worker: "worker",
      at: NOON + HOUR + MINUTE,
    });
    expect(out).not.toHaveProperty("token");
  });

  it("shows none where they are gone", async () => {
    await scan("10", "A", NOON);
    await notifier.client.del("SELLER:10");
    expect((await list("packages")).listed[0]).toMatchObject({ items: [], count: 0 });
  });
});

describe("topics", () => {
  const DEFAULTS = {
    quiet: HOUR,
    maxwait: 0,
    lease: MINUTE,
    attempts: 10,
    backoff: 30 * SECOND,
    maxlen: 10_000,
    id_keep: 600_000,
  };

  it("packages is there from the beginning", async () => {
    expect(await call("list_topics")).toEqual(["packages"]);
    expect(await record("get_topic", "packages")).toEqual({
      topic: "packages",
      stream: "packages",
      subject: "seller_id",
      item: "package_id",
      prefix: "SELLER:",
      ...DEFAULTS,
    });
    expect(await allKeys(notifier.client)).toEqual([]);
  });

  it("one's own has its own names; what is not named stays as it is", async () => {
    expect(await record("configure_topic", "orders", "QUIET", 5000)).toEqual({
      topic: "orders",
      stream: "orders",
      subject: "subject",
      item: "item",
      prefix: "ITEMS:orders:",
      ...DEFAULTS,
      quiet: 5000,
    });
    await call(
      "configure_topic",
      "orders",
      "MAXWAIT",
      5000,
      "STREAM",
      "s",
      "SUBJECT",
      "who",
      "ITEM",
      "what",
      "PREFIX",
      "O:",
    );
    expect(await record("get_topic", "orders")).toMatchObject({
      stream: "s",
      subject: "who",
      item: "what",
      prefix: "O:",
      quiet: 5000,
      maxwait: 5000,
    });
    await call("configure_topic", "orders", "MAXWAIT", 0);
    expect(await record("get_topic", "orders")).toMatchObject({ maxwait: 0, quiet: 5000 });
    expect(await call("list_topics")).toEqual(["orders", "packages"]);
  });

  it("an unknown one is named", async () => {
    for (const [name, ...args] of [
      ["get_topic"],
      ["scan_item", "10", "A"],
      ["ingest_scans"],
      ["claim_notifications"],
      ["ack_notification", UNKNOWN_ID],
      ["fail_notification", UNKNOWN_ID],
      ["retry_notification", UNKNOWN_ID],
      ["list_notifications"],
      ["get_notifier_status"],
    ] as [string, ...string[]][]) {
      expect(await refusal(name, "no such", ...args), name).toBe(
        "NOTFOUND there is no topic 'no such'; configure_topic makes one",
      );
    }
    expect(await allKeys(notifier.client)).toEqual([]);
  });

  it.each([
    [["with space"], /^BADARG topic must be made of letters, digits, '\.', '_' and '-', got 'with space'/],
    [["a:b"], /^BADARG topic .*'a:b'/],
    [["{a}"], /^BADARG topic .*'\{a\}'/],
    [["orders", "MAXWAIT", HOUR - 1], /^BADCONFIG MAXWAIT \(3599999\) is less than QUIET \(3600000\)/],
    [["orders", "MAXWAIT", 5, "QUIET", 6], /^BADCONFIG MAXWAIT \(5\) is less than QUIET \(6\)/],
    [["orders", "SUBJECT", "item"], /^BADCONFIG SUBJECT and ITEM are the same field, 'item'/],
    [
      ["orders", "PREFIX", "SELLER:"],
      /^BADCONFIG PREFIX 'SELLER:' and 'SELLER:' of topic 'packages' would share lists/,
    ],
    [["orders", "PREFIX", "SELLER:new:"], /^BADCONFIG PREFIX 'SELLER:new:' and 'SELLER:' of topic 'packages'/],
    [["orders", "PREFIX", "S"], /^BADCONFIG PREFIX 'S' and 'SELLER:' of topic 'packages'/],
    [["orders", "STREAM", "O:s", "PREFIX", "O:"], /^BADCONFIG STREAM 'O:s' begins with PREFIX 'O:'/],
  ])("configure_topic %j is refused", async (args, message) => {
    const before = await digest(notifier.client);
    expect(await refusal("configure_topic", ...args)).toMatch(message);
    expect(await digest(notifier.client)).toEqual(before);
  });

  it("a hundred and no more", async () => {
    for (let at = 0; at < 100; at += 1) await call("configure_topic", `t${at}`);
    expect(await refusal("configure_topic", "more")).toBe("LIMIT there are 100 topics already");
    expect(await call("configure_topic", "t5", "QUIET", 5)).toContain(5);
    expect(await call("list_topics")).toHaveLength(101);
  });

  it("a changed QUIET applies to a subject from its next scan on", async () => {
    await scan("10", "A", NOON);
    await scan("20", "A", NOON);
    await call("configure_topic", "packages", "QUIET", 10 * MINUTE, "LEASE", 2 * HOUR);
    expect((await claim("packages", "NOW", NOON + 30 * MINUTE)).claimed).toEqual([]);
    expect(await scan("10", "B", NOON + 30 * MINUTE)).toBe(NOON + 40 * MINUTE);
    expect((await claim("packages", "NOW", NOON + 40 * MINUTE)).claimed.map(({ subject }) => subject)).toEqual(["10"]);
    expect((await claim("packages", "NOW", NOON + HOUR)).claimed.map(({ subject }) => subject)).toEqual(["20"]);
  });

  it("PREFIX cannot change while subjects wait under it", async () => {
    await scan("10", "A", NOON);
    expect(await refusal("configure_topic", "packages", "PREFIX", "S:")).toBe(
      "CONFLICT PREFIX cannot change while 1 subjects wait under 'SELLER:'",
    );
    await call("configure_topic", "packages", "PREFIX", "SELLER:", "QUIET", 5);
    await claim("packages", "NOW", NOON + HOUR);
    expect(await call("configure_topic", "packages", "PREFIX", "S:")).toContain("S:");
  });

  it("several read one stream, each all of it; it is trimmed once all of them have", async () => {
    await call("configure_topic", "packages", "MAXLEN", 0);
    await call(
      "configure_topic",
      "audit",
      "STREAM",
      "packages",
      "SUBJECT",
      "package_id",
      "ITEM",
      "seller_id",
      "QUIET",
      1000,
      "MAXLEN",
      0,
    );
    await Promise.all(Array.from({ length: 500 }, (_, at) => put("*", "10", `P${at}`)));
    await record("ingest_scans", "packages", "LIMIT", 500);
    expect(await notifier.client.xLen("packages")).toBe(500);
    await record("ingest_scans", "audit", "LIMIT", 200);
    expect(await notifier.client.xLen("packages")).toBeGreaterThanOrEqual(300);
    await record("ingest_scans", "audit", "LIMIT", 500);
    expect(await notifier.client.xLen("packages")).toBeLessThan(100);
    expect(await listOf("10")).toHaveLength(500);
    expect(await notifier.client.lRange("ITEMS:audit:P499", 0, -1)).toEqual(["10"]);
  });

  it("the topic packages holds up nobody's stream before it has begun to read it", async () => {
    await call(
      "configure_topic",
      "mine",
      "STREAM",
      "packages",
      "SUBJECT",
      "seller_id",
      "ITEM",
      "package_id",
      "MAXLEN",
      0,
    );
    await Promise.all(Array.from({ length: 500 }, (_, at) => put("*", "10", `P${at}`)));
    await record("ingest_scans", "mine", "LIMIT", 1000);
    expect(await notifier.client.xLen("packages")).toBeLessThan(100);
  });
});

describe("partitions", () => {
  const routed = (name: string, ...args: (string | number)[]): Promise<unknown> =>
    notifier.routed(["{eu}"], name, ...args);

  it("have their own topics, streams and lists, all with their hash tag", async () => {
    await routed("scan_item", "packages", "10", "A", "NOW", NOON);
    await add("{eu}packages", `${NOON}-0`, "seller_id", "10", "package_id", "B");
    expect(await routed("ingest_scans", "packages", "NOW", NOON)).toEqual([
      "read",
      1,
      "accepted",
      1,
      "rejected",
      0,
      "remaining",
      0,
    ]);
    for (let at = 0; at < 100; at += 1) await routed("scan_item", "packages", "20", `P${at}`, "NOW", NOON);
    expect(await notifier.client.lRange("SELLER:{eu}10", 0, -1)).toEqual(["A", "B"]);
    await routed("claim_notifications", "packages", "NOW", NOON + HOUR);
    await routed("configure_topic", "orders", "STREAM", "{eu}mine", "PREFIX", "O:{eu}");
    expect(await routed("get_topic", "orders")).toEqual(expect.arrayContaining(["{eu}mine", "O:{eu}{eu}"]));
    expect((await allKeys(notifier.client)).filter((key) => !key.includes("{eu}"))).toEqual([]);
    expect(await claim("packages")).toEqual({ next: null, claimed: [] });
    expect(await call("list_topics")).toEqual(["packages"]);
  });

  it("refuse names with another hash tag", async () => {
    const message = (...args: string[]): Promise<string> =>
      routed("configure_topic", "orders", ...args).then(String, (error: Error) => error.message);
    expect(await message("STREAM", "{us}mine")).toBe(
      "BADCONFIG STREAM '{us}mine' has another hash tag than the routing key, '{eu}'",
    );
    expect(await message("PREFIX", "{us}:")).toBe(
      "BADCONFIG PREFIX '{us}:' has another hash tag than the routing key, '{eu}'",
    );
  });

  it("give ids of their own", async () => {
    const ids = new Set<string>();
    for (const partition of ["{eu}", "{us}"]) {
      await notifier.routed([partition], "scan_item", "packages", "10", "A", "NOW", NOON);
      const [, json] = (await notifier.routed([partition], "claim_notifications", "packages", "NOW", NOON + HOUR)) as [
        number,
        string,
      ];
      ids.add((JSON.parse(json) as Claimed).id);
    }
    expect(ids.size).toBe(2);
  });
});

describe("get_notifier_status", () => {
  it("tells what is where", async () => {
    await call("configure_topic", "packages", "ATTEMPTS", 1);
    const { id } = await claimed();
    await call("fail_notification", "packages", id, "NOW", NOON + HOUR);
    await claimed("20");
    await scan("30", "A", NOON - 2 * HOUR);
    await scan("40", "A", NOON);
    await put(`${NOON - 5000}-0`, "50", "A");
    await put(`${NOON - 4000}-0`, "60", "A");
    await record("ingest_scans", "packages", "LIMIT", 1, "NOW", NOON);
    expect(await status()).toEqual({
      topic: "packages",
      stream: "packages",
      cursor: `${NOON - 5000}-0`,
      length: 2,
      unread: 1,
      lag_ms: 4000,
      collecting: 3,
      due: 1,
      waiting: 0,
      leased: 1,
      dead: 1,
      delivered: 0,
      rejected: [],
      next: NOON - HOUR,
      missing: 0,
      missing_at: 0,
      begun_anew: 0,
    });
  });

  it("of a topic that was never used", async () => {
    expect(await status()).toMatchObject({ cursor: "0-0", length: 0, unread: 0, lag_ms: 0, collecting: 0, next: null });
  });
});

describe("keys of others in the way", () => {
  /** A call answers CONFLICT, naming the key, and has written nothing. */
  async function expectConflict(key: string, name: string, ...args: (string | number)[]): Promise<void> {
    await notifier.client.del(key);
    await notifier.client.set(key, "foreign");
    const before = await digest(notifier.client);
    expect(await refusal(name, "packages", ...args), key).toMatch(
      new RegExp(`^CONFLICT ${key.replaceAll(/[.]/g, "\\.")} `),
    );
    expect(await digest(notifier.client)).toEqual(before);
  }

  beforeEach(async () => {
    await claimed();
    await scan("30", "A", NOON - HOUR);
    for (let at = 0; at < 70; at += 1) await scan("40", `P${at}`, NOON);
    await put(`${NOON}-0`, "40", "A");
    await add("packages", `${NOON}-1`, "bad", "entry");
  });

  const STATE = "H:NOTIFIER::packages::";
  const [DUE, SUBJECTS, TOPICS] = [
    "SS:NOTIFIER.DUE::packages::",
    "H:NOTIFIER.SUBJECTS::packages::",
    "H:NOTIFIER.TOPICS::::",
  ];
  const QUEUE = ["READY", "LEASED", "DEAD"].map((state) => `SS:NOTIFIER.${state}::packages::`);

  it.each(["SELLER:40", DUE, SUBJECTS, STATE, TOPICS])("scans: %s", async (key) => {
    await expectConflict(key, "scan_item", "40", "new", "NOW", NOON);
    if (key !== "SELLER:40") await expectConflict(key, "scan_item", "50", "new", "NOW", NOON);
    await expectConflict(key, "ingest_scans", "NOW", NOON);
  });

  it("scans: the set beside a long list", async () => {
    const [seen] = (await allKeys(notifier.client)).filter((key) => key.startsWith("S:NOTIFIER.SEEN:"));
    await expectConflict(seen!, "scan_item", "40", "new", "NOW", NOON);
  });

  it.each(["packages", "ST:NOTIFIER.REJECTED::packages::"])("the stream: %s", (key) =>
    expectConflict(key, "ingest_scans", "NOW", NOON),
  );

  it.each([DUE, SUBJECTS, STATE, TOPICS, ...QUEUE])("claims: %s", (key) =>
    expectConflict(key, "claim_notifications", "NOW", NOON + HOUR),
  );

  it.each([STATE, TOPICS, ...QUEUE])("ends of leases: %s", async (key) => {
    for (const name of ["ack_notification", "fail_notification", "retry_notification"])
      await expectConflict(key, name, UNKNOWN_ID);
  });

  it.each([DUE, TOPICS, ...QUEUE])("lists: %s", (key) => expectConflict(key, "list_notifications"));
  it.each([DUE, TOPICS, STATE, "packages", ...QUEUE])("status: %s", (key) =>
    expectConflict(key, "get_notifier_status", "NOW", NOON),
  );
  it.each([DUE, TOPICS])("configuration: %s", (key) => expectConflict(key, "configure_topic", "PREFIX", "X:"));

  it("an entry is taken once, though a list was foreign when it was first read", async () => {
    await notifier.client.del("SELLER:40");
    await notifier.client.set("SELLER:40", "foreign");
    for (let calls = 0; calls < 3; calls += 1)
      expect(await refusal("ingest_scans", "packages", "NOW", NOON)).toMatch(/^CONFLICT SELLER:40 /);
    await notifier.client.del("SELLER:40");
    expect(await record("ingest_scans", "packages", "NOW", NOON)).toEqual({
      read: 2,
      accepted: 1,
      rejected: 1,
      remaining: 0,
    });
    expect(await listOf("40")).toEqual(["A"]);
  });

  it("one list holds up its own subject only, and its claim alone answers the error", async () => {
    await notifier.client.set("SELLER:30", "foreign");
    const { claimed: found, next } = await claim("packages", "NOW", NOON + HOUR, "COUNT", 1);
    expect(found.map(({ subject }) => subject)).toEqual(["40"]);
    expect(next).toBeLessThan(NOON + HOUR);
    const before = await digest(notifier.client);
    expect(await refusal("claim_notifications", "packages", "NOW", NOON + HOUR)).toBe("CONFLICT SELLER:30 is no list");
    expect(await digest(notifier.client)).toEqual(before);
  });
});

describe("what a stream tells", () => {
  it("of a time that is still to come does not bring anybody's quiet time to its end", async () => {
    await put(`${NOON}-1`, "10", "A");
    await record("ingest_scans", "packages", "NOW", NOON);
    await put(`${NOON + 2 * HOUR}-1`, "20", "B");
    expect(await claim("packages", "NOW", NOON + 30 * MINUTE)).toEqual({ next: NOON + HOUR, claimed: [] });
    // It still collects: another scan restarts its quiet time.
    await scan("10", "C", NOON + 40 * MINUTE);
    expect((await claim("packages", "NOW", NOON + HOUR)).claimed).toEqual([]);
    expect((await claim("packages", "NOW", NOON + HOUR + 40 * MINUTE)).claimed).toMatchObject([
      { subject: "10", items: ["A", "C"] },
    ]);
  });

  it("is kept to the largest MAXLEN of the topics that read it, whichever of them reads", async () => {
    await call("configure_topic", "packages", "MAXLEN", 0);
    await call(
      "configure_topic",
      "others",
      "STREAM",
      "packages",
      "SUBJECT",
      "seller_id",
      "ITEM",
      "package_id",
      "MAXLEN",
      500,
    );
    for (let at = 1; at <= 600; at += 1) await put(`${NOON}-${at}`, "10", `P${at}`);
    for (const topic of ["others", "packages"]) await record("ingest_scans", topic, "LIMIT", 1000, "NOW", NOON);
    expect(await notifier.client.xLen("packages")).toBeGreaterThanOrEqual(500);
  });
});
