/** Single calls as GigAPI's services make them: a flush of one file or ten, a worker that takes a plan and ends it, or finds none. */
import type { Bench } from "../bench";
import { addingEntry, originalScript } from "../gigapi";
import { interleave, median, ratioOf, type Side } from "../measure";
import { encode } from "../pipeline";
import type { Findings, Group, Row } from "../row";

const LAYERS = JSON.stringify({ l1: { url: "file://./data", name: "l1", type: "fs", ttl_sec: 0, layer_to: "" } });
/** Plans that are ripe at once, and plans that are not for hours. */
const RIPE = "[[0,10485760,1]]";
const UNRIPE = "[[10000,10485760,1]]";
const FOLDER = "date=2024-01-15/hour=12";
const QUEUE = `merge:default:test:1:${FOLDER}:l1:`;
const PLACE = ["default", "test", `1:${FOLDER}`, "l1", ""];
const ENTRIES_PER_CALL = 1000;
/** Ten files of this size fill a plan. */
const SIZE_BYTES = 1_000_000;
const FILES_PER_PLAN = 10;

const SCRIPTS = ["patch_index", "get_merge_plan", "end_merge"] as const;
type Name = (typeof SCRIPTS)[number];
/** How a side calls a function of this name. */
type Call = (name: Name, keys: readonly string[], args: readonly string[]) => Buffer;

/** Entries of one moment, in one folder. */
function entries(count: number): string[] {
  const ms = Date.UTC(2024, 0, 15, 12);
  return Array.from({ length: count }, (_, at) =>
    addingEntry({
      path: `${FOLDER}/${at.toString(16).padStart(8, "0")}-4b1d-4c3e-9a6f-0123456789ab.1.parquet`,
      sizeBytes: SIZE_BYTES,
      ...{ fromMs: ms, toMs: ms, chunkMs: ms },
    }),
  );
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));
}

/** What is measured: calls that begin with what `prepare` leaves. */
interface Case {
  what: string;
  /** The ratio wanted at least: the script's time in times of ours. */
  target: number;
  /** How many of what is counted the commands are. */
  count: number;
  prepare(bench: Bench): Promise<void>;
  commands(bench: Bench, call: Call): Promise<Buffer[]>;
}

async function fill(bench: Bench, merge: string, files: number): Promise<void> {
  await bench.flush();
  await bench.pipeline(
    chunksOf(entries(files), ENTRIES_PER_CALL).map((each) =>
      encode(["FCALL", "patch_index", 2, merge, LAYERS, ...each]),
    ),
  );
}

function adding(what: string, perCall: number, calls: number, target: number): Case {
  const batches = chunksOf(entries(perCall * calls), perCall);
  return {
    what,
    target,
    count: calls,
    prepare: (bench) => bench.flush(),
    commands: (_, call) => Promise.resolve(batches.map((each) => call("patch_index", [UNRIPE, LAYERS], each))),
  };
}

function cases(calls: number): Case[] {
  return [
    adding("patch_index of one new file", 1, calls, 1 / 0.9),
    adding("patch_index of ten new files", 10, Math.ceil(calls / 10), 1 / 0.6),
    {
      what: "get_merge_plan and end_merge of a plan of ten files",
      target: 1 / 0.9,
      count: calls,
      prepare: (bench) => fill(bench, RIPE, calls * FILES_PER_PLAN),
      commands: async (bench, call) => {
        const plans = (await bench.call("LRANGE", `${QUEUE}:idle`, 0, -1)) as string[];
        return plans.flatMap((plan) => [
          call("get_merge_plan", ["merge", ...PLACE], [""]),
          call("end_merge", [...PLACE, (JSON.parse(plan) as { id: string }).id], []),
        ]);
      },
    },
    {
      what: "get_merge_plan where none is due",
      target: 1,
      count: calls,
      prepare: (bench) => fill(bench, UNRIPE, FILES_PER_PLAN),
      commands: (_, call) =>
        Promise.resolve(Array.from({ length: calls }, () => call("get_merge_plan", ["merge", ...PLACE], [""]))),
    },
  ];
}

function sideOf(bench: Bench, label: string, { prepare, commands }: Case, call: Call): Side {
  let encoded: Buffer[] = [];
  return {
    label,
    prepare: async () => {
      await prepare(bench);
      encoded = await commands(bench, call);
    },
    run: () => bench.pipeline(encoded),
  };
}

async function rowOf(bench: Bench, each: Case, shas: ReadonlyMap<Name, string>): Promise<Row> {
  const ours: Call = (name, keys, args) => encode(["FCALL", name, keys.length, ...keys, ...args]);
  const theirs: Call = (name, keys, args) => encode(["EVALSHA", shas.get(name)!, keys.length, ...keys, ...args]);
  const hasScripts = shas.size === SCRIPTS.length;
  const sides = [sideOf(bench, "ours", each, ours), ...(hasScripts ? [sideOf(bench, "theirs", each, theirs)] : [])];
  const samples = await interleave(bench, sides, bench.sizes.rounds);
  const cost = (label: string): string =>
    `${((1000 * median(samples[label]!.map(({ cpuMs }) => cpuMs))) / each.count).toFixed(0)} µs`;
  return {
    what: each.what,
    against: "GigAPI's scripts",
    ours: cost("ours"),
    theirs: hasScripts ? cost("theirs") : "not on this machine",
    ...(hasScripts && { ratio: ratioOf(samples, "ours", "theirs"), target: each.target }),
  };
}

async function run(bench: Bench): Promise<Findings> {
  const shas = new Map<Name, string>();
  for (const name of SCRIPTS) {
    const script = originalScript(name);
    if (script !== undefined) shas.set(name, String(await bench.call("SCRIPT", "LOAD", script)));
  }
  const rows: Row[] = [];
  for (const each of cases(bench.sizes.singleCalls)) rows.push(await rowOf(bench, each, shas));
  return {
    rows,
    notes: [
      "Single calls of the index: the server's processor time a call, in one pipeline, on a folder of one hour; a plan takes ten files.",
    ],
  };
}

export const metadataCalls: Group = { name: "metadata-calls", run };
