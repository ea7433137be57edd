/** A plan to merge, found among many queues and very many other keys. */
import { readFileSync } from "node:fs";
import type { Bench } from "../bench";
import { originalScript } from "../gigapi";
import { interleave, median, ratioOf, type Samples, type Side } from "../measure";
import { encode } from "../pipeline";
import { milliseconds, type Findings, type Group, type Row } from "../row";
import { HOUR_MS } from "../../../host/runtime/time";

/** How the Go client asks for keys. */
const SCAN_COUNT = 1000;

/** Plans that ours takes in a row: one alone is too short to be measured. */
const TAKEN = 200;

const ENTRIES_PER_CALL = 1000;
const LAYERS = JSON.stringify({ l: { url: "", name: "l", type: "fs", ttl_sec: 0, layer_to: "" } });
const MERGE = "[[10,10485760,1]]";

/** One file in each of so many folders, added long enough ago for its plan to be ripe. */
async function fillQueues(bench: Bench, queues: number): Promise<void> {
  await bench.call("FCALL", "configure_table", 0, "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
  const longAgo = Date.now() - HOUR_MS;
  for (let from = 0; from < queues; from += ENTRIES_PER_CALL) {
    const entries = Array.from({ length: Math.min(ENTRIES_PER_CALL, queues - from) }, (_, at) =>
      JSON.stringify({
        layer: "l",
        database: "d",
        table: "t",
        path: `date=2024-01-15/part=${from + at}/a.1.parquet`,
        size_bytes: 1000,
        writer_id: "w",
        str_min_time: "1",
        str_max_time: "2",
        cmd: "ADD",
      }),
    );
    await bench.call("FCALL", "patch_index", 0, "d", "t", ...entries, "NOW", longAgo);
  }
}

/** Other keys, up to so many in all. */
async function fillKeyspace(bench: Bench, keys: number): Promise<void> {
  const missing = keys - Number(await bench.call("DBSIZE"));
  await bench.pipeline(Array.from({ length: missing }, (_, at) => encode(["SET", `other:${at}`, at])));
}

/** As the Go client does: all keys of the keyspace, those of its queues in order, and the script for each until there is a plan. */
async function scanAndTake(bench: Bench, sha: string): Promise<number> {
  const start = performance.now();
  const keys: string[] = [];
  let cursor = "0";
  do {
    const [next, found] = (await bench.call("SCAN", cursor, "MATCH", "merge:d:t:1:*:l:w:*", "COUNT", SCAN_COUNT)) as [
      string,
      string[],
    ];
    keys.push(...found);
    cursor = next;
  } while (cursor !== "0");
  for (const key of keys.sort()) {
    const folder = key.split(":")[4]!;
    const plan = await bench.call("EVALSHA", sha, 6, "merge", "d", "t", `1:${folder}`, "l", "w", "");
    if (plan !== "") return performance.now() - start;
  }
  throw new Error("SCAN and script found no plan");
}

async function takeMany(bench: Bench): Promise<number> {
  const start = performance.now();
  for (let taken = 0; taken < TAKEN; taken += 1) {
    if ((await bench.call("FCALL", "get_merge_plan", 0, "d", "t", 1, "l", "w")) === null)
      throw new Error(`no plan after ${taken}`);
  }
  return performance.now() - start;
}

async function run(bench: Bench): Promise<Findings> {
  const { planQueues, planKeys } = bench.sizes;
  await fillQueues(bench, planQueues);
  await fillKeyspace(bench, planKeys);
  const original = originalScript("get_merge_plan");
  const text = original ?? readFileSync(new URL("../twins/take-plan.lua", import.meta.url), "utf8");
  const sha = String(await bench.call("SCRIPT", "LOAD", text));
  const sides: Side[] = [
    { label: "ours", prepare: () => Promise.resolve(), run: () => takeMany(bench) },
    { label: "scan", prepare: () => Promise.resolve(), run: () => scanAndTake(bench, sha) },
  ];
  const measured = await interleave(bench, sides, 3);
  const one = measured["ours"]!.map(({ wallMs, cpuMs }) => ({ wallMs: wallMs / TAKEN, cpuMs: cpuMs / TAKEN }));
  const samples: Samples = { ours: one, scan: measured["scan"]! };
  const row: Row = {
    what: `get_merge_plan with ${planQueues.toLocaleString("en-US")} queues among ${planKeys.toLocaleString("en-US")} keys`,
    against: `SCAN, then ${original === undefined ? "a script by hand" : "GigAPI's script"}, as the Go client does`,
    ours: milliseconds(median(one.map(({ wallMs }) => wallMs))),
    theirs: milliseconds(median(samples["scan"]!.map(({ wallMs }) => wallMs))),
    ratio: ratioOf(samples, "ours", "scan"),
    target: 100,
  };
  const stood =
    original === undefined
      ? " GigAPI's own script was not on the machine (HOTPATH_GIGAPI_SCRIPTS); one of the same effect stands for it."
      : "";
  return {
    rows: [row],
    notes: [`get_merge_plan: one client that awaits each reply; every queue has a ripe plan of one file.${stood}`],
  };
}

export const metadataPlans: Group = { name: "metadata-plans", run };
