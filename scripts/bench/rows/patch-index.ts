/** Files added to the index: three days of them in one batch, and thousands into one plan. */
import type { Bench } from "../bench";
import { addingEntry, originalScript } from "../gigapi";
import { interleave, median, rateOf, ratioOf, type Samples, type Side } from "../measure";
import { encode } from "../pipeline";
import { milliseconds, perSecond, type Findings, type Group, type Row } from "../row";

const MERGE = "[[10,10485760,1]]";
const LAYERS = JSON.stringify({ l1: { url: "file://./data", name: "l1", type: "fs", ttl_sec: 20, layer_to: "" } });
/** Three days, a file each 15 seconds, as in the engine's own test. */
const FILES = 17_280;
const STEP_MS = 15_000;
/** The script takes the square of them: the target is of so many. */
const TARGET_ENTRIES = 8_000;

const uuid = (at: number): string =>
  `${((at * 2654435761) >>> 0).toString(16).padStart(8, "0")}-4b1d-4c3e-9a6f-${at.toString(16).padStart(12, "0")}`;

/** Entries from midnight on, one a step. */
function entries(count: number, stepMs: number, sizeBytes: number): string[] {
  const from = Date.UTC(2024, 0, 15);
  return Array.from({ length: count }, (_, at) => {
    const ms = from + at * stepMs;
    const iso = new Date(ms).toISOString();
    return addingEntry({
      path: `date=${iso.slice(0, 10)}/hour=${iso.slice(11, 13)}/${uuid(at)}.1.parquet`,
      ...{ sizeBytes, fromMs: ms, toMs: ms + STEP_MS, chunkMs: from },
    });
  });
}

const ours = (batch: readonly string[]): Buffer[] => [encode(["FCALL", "patch_index", 2, MERGE, LAYERS, ...batch])];
const theirs = (sha: string, batch: readonly string[]): Buffer[] => [
  encode(["EVALSHA", sha, 2, MERGE, LAYERS, ...batch]),
];
const side = (bench: Bench, label: string, commands: Buffer[]): Side => ({
  label,
  prepare: () => bench.flush(),
  run: () => bench.pipeline(commands),
});

/** @throws Error unless so many files are counted, and so many are in plans that wait */
async function requireAll(bench: Bench, count: number): Promise<void> {
  const counts = (await bench.call("HVALS", "folders:default:test")) as string[];
  const counted = counts.reduce((sum, each) => sum + Number(each), 0);
  let planned = 0;
  for (const key of (await bench.call("KEYS", "merge:*:idle")) as string[]) {
    for (const plan of (await bench.call("LRANGE", key, 0, -1)) as string[])
      planned += (JSON.parse(plan) as { paths: string[] }).paths.length;
  }
  if (counted !== count || planned !== count)
    throw new Error(`${counted} files are counted and ${planned} planned, not ${count}`);
}

async function batchRow(bench: Bench, sha: string | undefined): Promise<Row> {
  const batch = entries(FILES, STEP_MS, 1_000_000);
  const sides = [
    side(bench, "ours", ours(batch)),
    ...(sha === undefined ? [] : [side(bench, "theirs", theirs(sha, batch))]),
  ];
  const samples = await interleave(bench, sides, bench.sizes.rounds);
  await sides[0]!.prepare();
  await sides[0]!.run();
  await requireAll(bench, FILES);
  return {
    what: `patch_index, ${FILES.toLocaleString("en-US")} entries of three days in one batch`,
    against: "GigAPI's script",
    ours: perSecond(rateOf(samples, "ours", FILES), "entries"),
    theirs: sha === undefined ? "not on this machine" : perSecond(rateOf(samples, "theirs", FILES), "entries"),
    ...(sha !== undefined && { ratio: ratioOf(samples, "ours", "theirs"), target: 3 }),
  };
}

/** The script's time grows with the square of the plan, so it is run once, and not to warm up. */
async function onePlanRows(bench: Bench, sha: string | undefined): Promise<Row[]> {
  const count = bench.sizes.planEntries;
  const [once, twice] = [entries(count, 0, 1), entries(2 * count, 0, 1)];
  const samples: Samples = await interleave(
    bench,
    [side(bench, "ours", ours(once)), side(bench, "double", ours(twice))],
    bench.sizes.rounds,
  );
  await requireAll(bench, count);
  const time = (label: string): number => median(samples[label]!.map(({ cpuMs }) => cpuMs));
  const growth = time("double") / time("ours");
  const what = `patch_index, ${count.toLocaleString("en-US")} entries into one plan`;
  const shown = (label: string): string => milliseconds(median(samples[label]!.map(({ wallMs }) => wallMs)));
  const rows: Row[] = [
    {
      what: `${what}, and twice as many`,
      against: "twice the processor time: each costs the same",
      ours: shown("double"),
      theirs: shown("ours"),
      bound: { text: `${growth.toFixed(1)} × (at most 2.5)`, isHeld: growth <= 2.5 },
    },
  ];
  if (sha === undefined)
    return [{ what, against: "GigAPI's script", ours: shown("ours"), theirs: "not on this machine" }, ...rows];
  await bench.flush();
  const before = await bench.cpuMs();
  const wallMs = await bench.pipeline(theirs(sha, once));
  samples["theirs"] = Array.from({ length: samples["ours"]!.length }, () => ({ wallMs, cpuMs: 0 }));
  const cpuMs = (await bench.cpuMs()) - before;
  for (const each of samples["theirs"]) each.cpuMs = cpuMs;
  return [
    {
      what,
      against: "GigAPI's script",
      ours: shown("ours"),
      theirs: shown("theirs"),
      ratio: ratioOf(samples, "ours", "theirs"),
      ...(count >= TARGET_ENTRIES && { target: 100 }),
    },
    ...rows,
  ];
}

async function run(bench: Bench): Promise<Findings> {
  const script = originalScript("patch_index");
  const sha = script === undefined ? undefined : String(await bench.call("SCRIPT", "LOAD", script));
  if (sha === undefined)
    console.error(
      "GigAPI's scripts are not on this machine (HOTPATH_GIGAPI_SCRIPTS names their folder): patch_index is measured alone.",
    );
  const rows = [await batchRow(bench, sha), ...(await onePlanRows(bench, sha))];
  return {
    rows,
    notes: [
      `patch_index: entries as the Go client prints them, into an empty index, in one call; ours checks each of them first, keeps the times of ` +
        "folders and the index of queues, and registers databases and tables as well. To receive an entry, to decode it and to store its text is " +
        "more than a third of the price, and the same for both.",
    ],
  };
}

export const patchIndex: Group = { name: "patch-index", run };
