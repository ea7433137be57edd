/*
 * query_index over files and folders of every shape: what GigAPI's own Query misses, as docs/metadata.md lists it. Written by the
 * functions and by clients without them, before and after rebuild_index.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, entryOf, folderOf, HOUR, MINUTE, NOON, ns, SECOND, useMetadata, type Entry } from "../support/metadata";

const metadata = useMetadata();
const { send } = metadata;

beforeEach(() => metadata.server.flush());

const MIDNIGHT = NOON + 12 * HOUR;
const LAYERS = '{"l":{"ttl_sec":0}}';

const fileIn = (folder: string, fromMs: number, toMs: number): Entry =>
  entryOf({ path: `${folder}/a.1.parquet`, str_min_time: ns(fromMs), str_max_time: ns(toMs) });

/** A file of another time beside each, so that the folder and its day are known to have times. */
const besides = ({ path }: Entry): Entry =>
  entryOf({ path: path.replace("/a.", "/other."), str_min_time: ns(NOON - 9 * DAY), str_max_time: ns(NOON - 9 * DAY) });

const WRITERS: Record<string, (entries: Entry[]) => Promise<unknown>> = {
  "the functions": (entries) =>
    metadata.routed(["[]", LAYERS], "patch_index", ...entries.map((each) => JSON.stringify(each))),
  "a client without them": (entries) =>
    Promise.all(
      entries.flatMap((entry) => [
        send("HINCRBY", "folders:d:t", entry.path.slice(0, entry.path.lastIndexOf("/")), 1),
        send("HSET", `files:d:t:${entry.path.split("/")[0]}`, entry.path, JSON.stringify(entry)),
      ]),
    ),
};

const at = NOON + 5 * MINUTE;
const SHAPES: [string, Entry, number, number][] = [
  [
    "begins before midnight, ends after it",
    fileIn(folderOf(NOON), MIDNIGHT - SECOND, MIDNIGHT + SECOND),
    MIDNIGHT,
    MIDNIGHT + HOUR,
  ],
  ["begins in the hour before", fileIn(folderOf(NOON - 1), NOON - SECOND, NOON + SECOND), NOON, NOON + HOUR],
  [
    "of the last day of a range that ends earlier in the day than it begins",
    fileIn(folderOf(MIDNIGHT), MIDNIGHT, MIDNIGHT + SECOND),
    MIDNIGHT - HOUR,
    MIDNIGHT + MINUTE,
  ],
  ["at one moment", fileIn(folderOf(NOON), at, at + SECOND), at, at],
  ["in a folder of a day", fileIn("date=2024-01-15", at, at + SECOND), NOON, NOON + HOUR],
  ["in a folder of a minute", fileIn("date=2024-01-15/hour=12/minute=05", at, at + SECOND), NOON, NOON + HOUR],
  ["under dt=", fileIn("dt=2024-01-15/hour=12", at, at + SECOND), NOON, NOON + HOUR],
  ["under a region", fileIn("region=eu/date=2024-01-15/hour=12", at, at + SECOND), NOON, NOON + HOUR],
  ["under a short name", fileIn("f", at, at + SECOND), NOON, NOON + HOUR],
  ["of a local day east of UTC", fileIn("date=2024-01-16/hour=01", at, at + SECOND), NOON, NOON + HOUR],
  [
    "of a local day west of UTC",
    fileIn("date=2024-01-14/hour=23", NOON - 7 * HOUR, NOON - 7 * HOUR),
    NOON - 8 * HOUR,
    NOON - 6 * HOUR,
  ],
  ["without times", entryOf({ path: `${folderOf(NOON)}/a.1.parquet` }), NOON + 40 * DAY, NOON + 41 * DAY],
];

describe.each(Object.entries(WRITERS))("written by %s", (_, write) => {
  it.each(SHAPES)("finds a file %s", async (__, entry, fromMs, toMs) => {
    await write([entry, besides(entry)]);
    const found = async (): Promise<string[]> =>
      (await metadata.query("d", "t", "AFTER", ns(fromMs), "BEFORE", ns(toMs))).entries.map(({ path }) => path);
    expect(await found()).toEqual([entry.path]);
    await metadata.rebuild();
    expect(await found()).toEqual([entry.path]);
  });
});
