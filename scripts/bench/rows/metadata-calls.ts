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

/** A file each 15 seconds. */
const STEP_MS = 15_000;
/** Files of a day and a half. */
const DELETED = 8_640;

/** Entries that follow one another, all of them in one folder unless it is said which. */
function entries(count: number, folderOf: (ms: number) => string = () => FOLDER): string[] {
  const start = Date.UTC(2024, 0, 15, 12);
  return Array.from({ length: count }, (_, at) => {
    const ms = start + at * STEP_MS;
    return addingEntry({
      path: `${folderOf(ms)}/${at.toString(16).padStart(8, "0")}-4b1d-4c3e-9a6f-0123456789ab.1.parquet`,
      sizeBytes: SIZE_BYTES,
      ...{ fromMs: ms, toMs: ms + STEP_MS, chunkMs: ms },
    });
  });
}

function hourOf(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `date=${iso.slice(0, 10)}/hour=${iso.slice(11, 13)}`;
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

async function fill(bench: Bench, merge: string, added: readonly string[]): Promise<void> {
  await bench.flush();
  await bench.pipeline(
    chunksOf(added, ENTRIES_PER_CALL).map((each) => encode(["FCALL", "patch_index", 2, merge, LAYERS, ...each])),
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

/** All files of a day and a half deleted at once, in the plans that they wait in or after those were given out. */
function deleting(what: string, merge: string, before: (bench: Bench) => Promise<void>): Case {
  const added = entries(DELETED, hourOf);
  const deleted = added.map((each) => each.replace('"cmd":"ADD"', '"cmd":"DELETE"'));
  return {
    what,
    target: 1 / 0.6,
    count: DELETED,
    prepare: async (bench) => {
      await fill(bench, merge, added);
      await before(bench);
    },
    commands: (_, call) => Promise.resolve([call("patch_index", [merge, LAYERS], deleted)]),
  };
}

/** Moves all plans among those that are out. */
async function giveOutAll(bench: Bench): Promise<void> {
  for (const idle of (await bench.call("KEYS", "merge:*:idle")) as string[])
    await bench.call("RENAME", idle, idle.replace(/idle$/, "processing"));
}

function cases(calls: number): Case[] {
  return [
    adding("patch_index of one new file", 1, calls, 1 / 0.9),
    adding("patch_index of ten new files", 10, Math.ceil(calls / 10), 1 / 0.6),
    {
      what: "get_merge_plan and end_merge of a plan of ten files",
      target: 1 / 0.9,
      count: calls,
      prepare: (bench) => fill(bench, RIPE, entries(calls * FILES_PER_PLAN)),
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
      prepare: (bench) => fill(bench, UNRIPE, entries(FILES_PER_PLAN)),
      commands: (_, call) =>
        Promise.resolve(Array.from({ length: calls }, () => call("get_merge_plan", ["merge", ...PLACE], [""]))),
    },
    deleting("patch_index, a DELETE of 8,640 in one batch, of plans that are out", UNRIPE, giveOutAll),
    deleting("patch_index, a DELETE of 8,640 in one batch, of plans that wait", UNRIPE, () => Promise.resolve()),
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
    `${((1000 * median(samples[label]!.map(({ cpuMs }) => cpuMs))) / each.count).toFixed(1)} µs`;
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
      "Single calls of the index: the server's processor time a call, in one pipeline, on a folder of one hour; a plan takes ten files. Of a " +
        "DELETE in a batch, the time an entry.",
    ],
  };
}

export const metadataCalls: Group = { name: "metadata-calls", run };
