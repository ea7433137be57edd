/* The examples of the document that the notifier was made from. */
import { beforeEach, describe, expect, it } from "vitest";
import { HOUR, MINUTE, NOON, useNotifier, type Claimed } from "../support/notifier";

const notifier = useNotifier();
const { call, record, claim } = notifier;

beforeEach(() => notifier.server.flush());

/** Scans as a publisher sends them, each with the time of its entry. */
async function publish(atMs: number, sellerId: string, ...packages: string[]): Promise<void> {
  for (const [at, packageId] of packages.entries()) {
    await notifier.add("packages", `${atMs}-${at}`, "seller_id", sellerId, "package_id", packageId);
  }
}

const ingest = (nowMs: number): Promise<Record<string, unknown>> => record("ingest_scans", "packages", "NOW", nowMs);
const messages = (claimed: Claimed[]): [string, string[]][] => claimed.map(({ subject, items }) => [subject, items]);

describe("a seller is notified an hour after the last scan", () => {
  it("example 1: three packages at 12:00, one notification at 13:00", async () => {
    await publish(NOON, "10", "AAAAAA", "BBBBBB", "CCCCCC");
    expect(await ingest(NOON)).toEqual({ read: 3, accepted: 3, rejected: 0, remaining: 0 });
    expect(await claim("packages", "NOW", NOON + HOUR - 1)).toEqual({ next: NOON + HOUR, claimed: [] });
    const { claimed } = await claim("packages", "NOW", NOON + HOUR);
    expect(claimed).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{40}$/) as string,
        token: expect.any(String) as string,
        topic: "packages",
        subject: "10",
        items: ["AAAAAA", "BBBBBB", "CCCCCC"],
        first_at: NOON,
        last_at: NOON,
        attempt: 1,
      },
    ]);
  });

  it("example 2: three packages at 12:00 and two at 12:30, one notification at 13:30 with all five", async () => {
    await publish(NOON, "10", "AAAAAA", "BBBBBB", "CCCCCC");
    await ingest(NOON);
    await publish(NOON + 30 * MINUTE, "10", "DDDDDD", "EEEEEE");
    await ingest(NOON + 30 * MINUTE);
    expect(await claim("packages", "NOW", NOON + HOUR)).toEqual({ next: NOON + 90 * MINUTE, claimed: [] });
    expect((await claim("packages", "NOW", NOON + 90 * MINUTE - 1)).claimed).toEqual([]);
    const { next, claimed } = await claim("packages", "NOW", NOON + 90 * MINUTE);
    expect(messages(claimed)).toEqual([["10", ["AAAAAA", "BBBBBB", "CCCCCC", "DDDDDD", "EEEEEE"]]]);
    expect(claimed[0]).toMatchObject({ first_at: NOON, last_at: NOON + 30 * MINUTE });
    await call("ack_notification", "packages", claimed[0]!.id, "TOKEN", claimed[0]!.token);
    expect(next).toBe(NOON + 90 * MINUTE + MINUTE);
    expect(await claim("packages", "NOW", NOON + 24 * HOUR)).toEqual({ next: null, claimed: [] });
  });

  it("the list is there for who reads it while the seller waits", async () => {
    await publish(NOON, "10", "AAAAAA", "BBBBBB", "AAAAAA");
    await ingest(NOON);
    expect(await notifier.client.lRange("SELLER:10", 0, -1)).toEqual(["AAAAAA", "BBBBBB"]);
  });
});

describe("the table of scans and its cut-off", () => {
  const at = (clock: string): number => Date.parse(`2022-06-28T${clock}Z`);
  const TABLE: [sellerId: string, packageId: string, clock: string][] = [
    ["10", "AAAAAA", "19:35:00"],
    ["30", "ZZZZZZ", "19:35:06"],
    ["30", "TTTTTT", "19:35:08"],
    ["20", "XXXXXX", "19:35:10"],
    ["20", "YYYYYY", "19:35:20"],
    ["10", "BBBBBB", "19:36:00"],
    ["10", "CCCCCC", "19:36:30"],
  ];

  beforeEach(async () => {
    for (const [sellerId, packageId, clock] of TABLE) await publish(at(clock), sellerId, packageId);
    await ingest(at("19:37:00"));
  });

  it("before 19:35:25 sellers 20 and 30 were scanned last, each with two packages", async () => {
    const { claimed } = await claim("packages", "NOW", at("19:35:25") + HOUR);
    const bySeller = claimed.toSorted((a, b) => Number(a.subject) - Number(b.subject));
    expect(bySeller.map(({ subject, last_at: lastAt }) => [subject, lastAt])).toEqual([
      ["20", at("19:35:20")],
      ["30", at("19:35:08")],
    ]);
    expect(messages(bySeller)).toEqual([
      ["20", ["XXXXXX", "YYYYYY"]],
      ["30", ["ZZZZZZ", "TTTTTT"]],
    ]);
  });

  it("seller 10 is notified an hour after 19:36:30", async () => {
    await claim("packages", "NOW", at("19:35:25") + HOUR);
    expect(
      (await claim("packages", "NOW", at("19:36:30") + HOUR - 1)).claimed.filter(({ subject }) => subject === "10"),
    ).toEqual([]);
    const { claimed } = await claim("packages", "NOW", at("19:36:30") + HOUR);
    expect(messages(claimed.filter(({ subject }) => subject === "10"))).toEqual([
      ["10", ["AAAAAA", "BBBBBB", "CCCCCC"]],
    ]);
  });
});
