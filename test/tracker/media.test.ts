/* Audio, video and podcasts count as pages do: in every tier, in rankings and series, and late; they have no document. */
import { beforeEach, describe, expect, it } from "vitest";
import { event, HOUR, MINUTE, NOON, sha1, useTracker } from "../support/tracker";

const tracker = useTracker();
const { record, call } = tracker;
const SITE = "a.example";
const PAGE = sha1(`${SITE}/x`);
const MEDIA = { A: "audio", V: "video", PC: "podcast" };
const TIERS = ["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"];

beforeEach(() => tracker.server.flush());

/** A view of the page with something of every kind on it, minutes after noon. */
const view = (minutes: number, uui: string): string =>
  event(
    `http://${SITE}/x`,
    uui,
    NOON + minutes * MINUTE,
    Object.fromEntries(Object.values(MEDIA).map((field) => [field, "item"])),
  );

async function rotate(nowMs: number): Promise<void> {
  for (const name of ["rotate_pg", "rotate_ud"]) await tracker.drain(name, "LIMIT", 10_000, "NOW", nowMs);
}

async function answers(dimension: string, id: string, nowMs: number): Promise<unknown> {
  const stretch = ["FROM", NOON, "TO", NOON + 9 * HOUR, "NOW", nowMs];
  const series = TIERS.flatMap((tier) =>
    ["range_pg", "range_ud"].map((name) =>
      call(name, dimension, id, "TIER", tier, "FROM", NOON, "TO", NOON + 9 * HOUR),
    ),
  );
  const ranking = await record("rank_pg", dimension, ...stretch);
  return {
    views: await record("count_pg", dimension, id, ...stretch),
    devices: await record("count_ud", dimension, id, ...stretch),
    ranked: (ranking["ranking"] as [string, number][]).map(([ranked, views]) => [ranked === id, views]),
    series: await Promise.all(series),
  };
}

describe.each(Object.keys(MEDIA))("%s", (dimension) => {
  const id = sha1(`${SITE}/item`);

  it("counts as a page does, from the first minute to series of three hours, late events included", async () => {
    const now = (hours: number): number => NOON + hours * HOUR;
    const compare = async (nowMs: number): Promise<unknown> => {
      const own = await answers(dimension, id, nowMs);
      expect(own).toEqual(await answers("P", PAGE, nowMs));
      return own;
    };
    await record("track_events", view(0, "d"), view(1, "e"), view(1, "e"), view(70, "f"), "NOW", now(2));
    await compare(now(2));
    await rotate(now(2));
    await compare(now(2));
    // Late for windows of five minutes, of an hour, and of three hours.
    await record("track_events", view(2, "late"), "NOW", now(2));
    await compare(now(2));
    await rotate(now(4));
    await record("track_events", view(71, "later"), "NOW", now(4));
    await rotate(now(4));
    expect(await compare(now(4))).toMatchObject({ views: { value: 6 }, devices: { value: 5 }, ranked: [[true, 6]] });
    const last = (await call("range_pg", dimension, id, "TIER", "3HOURS", "FROM", NOON, "TO", now(9))) as unknown[];
    expect(last).toEqual([[NOON, 6]]);
  });

  it("has no document", async () => {
    await record("track_events", view(0, "d"), "NOW", NOON);
    expect(await tracker.refusal("get_document", dimension, id)).toMatch(/^BADARG dimension/);
    expect(await tracker.refusal("find_documents", dimension)).toMatch(/^BADARG dimension/);
    expect(await call("get_document", "P", id)).toBeNull();
    expect(await call("find_documents", "P")).toEqual([1, PAGE]);
  });
});
