/** Rotation of unique devices, against raw PFMERGE of the same keys, and what other clients wait meanwhile. */
import type { Bench } from "../bench";
import { interleave, median, rateOf, ratioOf, type Samples, type Side } from "../measure";
import { describeWaits, pingIdle, type Waits } from "../ping";
import { COMPILED, withTwin, type LibraryName } from "../libraries";
import { encode } from "../pipeline";
import { milliseconds, perSecond, type Findings, type Group, type Row } from "../row";
import { restore, save } from "../saved";
import {
  devicesCommands,
  minuteDevices,
  requireRotated,
  rotationData,
  UNMERGED_KEEP_MS,
  windowDevices,
  type RotationData,
} from "./rotation-data";
import { inSequence, requireTwin, type InSequence } from "./rotation-runs";
import { HOUR_MS, MINUTE_MS } from "../../../host/runtime/time";

const DEFAULT_LIMIT = 20;
const MAX_WAIT_MS = 5;
const IDLE_MS = 3000;
/** About what a minute has left to live when it is merged. */
const SOURCE_KEEP_MS = HOUR_MS;

function mergeCommands({ ids, minutes, startMs }: RotationData): Buffer[] {
  return ids.map((id) =>
    encode(["PFMERGE", windowDevices(id, startMs), ...minutes.map((each) => minuteDevices(id, each))]),
  );
}

/**
 * What any rotation of devices has to write, a page: the merge, the lives of six keys, the count, its point of the series,
 * and the announcement to the next tier in place of the one to this.
 */
function writeCommands({ ids, minutes, startMs }: RotationData): Buffer[] {
  return ids.flatMap((id) => {
    const merged = windowDevices(id, startMs);
    const sources = minutes.map((each) => minuteDevices(id, each));
    const series = `H:5MINUTES.SERIES:P:${id}:0:UD`;
    return [
      ["PFMERGE", merged, ...sources],
      ["PEXPIRE", merged, UNMERGED_KEEP_MS],
      ...sources.map((source) => ["PEXPIRE", source, SOURCE_KEEP_MS]),
      ["PFCOUNT", merged],
      ["HSET", series, 1, 1],
      ["PEXPIRE", series, UNMERGED_KEEP_MS],
      ["SADD", "S:10MINUTES.OPEN:P::0:UD", id],
      ["SREM", `S:5MINUTES.OPEN:P::${startMs}:UD`, id],
    ].map(encode);
  });
}

function sidesOf(bench: Bench, data: RotationData): Side[] {
  const pages = data.ids.length;
  const merges = mergeCommands(data);
  const writes = writeCommands(data);
  const calls = (name: string): Buffer[] =>
    Array.from({ length: Math.ceil(pages / DEFAULT_LIMIT) + 1 }, () => encode(["FCALL", name, 0, "TIER", "5MINUTES"]));
  const above = `S:10MINUTES.OPEN:P::${data.startMs - (data.startMs % (10 * MINUTE_MS))}:UD`;
  const rotation = (label: string, name: string, libraries: readonly LibraryName[]): Side => ({
    label,
    libraries,
    prepare: () => restore(bench),
    run: async () => {
      const ms = await bench.pipeline(calls(name));
      await requireRotated(bench, name, above, pages);
      return ms;
    },
  });
  return [
    { label: "raw", prepare: () => restore(bench), run: () => bench.pipeline(merges) },
    { label: "writes", prepare: () => restore(bench), run: () => bench.pipeline(writes) },
    rotation("ours", "rotate_ud", COMPILED),
    rotation("ours twin", "twin_rotate_ud", withTwin("rotation twin", "tracker")),
  ];
}

function rowsOf(samples: Samples, pages: number, sequences: InSequence[]): Row[] {
  const rate = (label: string): string => perSecond(rateOf(samples, label, pages), "pages");
  const what = `rotate_ud, ${pages} pages of 5 minutes`;
  const waitMs = median(sequences.map((each) => each.waits.p999));
  return [
    {
      what: `${what}, calls in a pipeline`,
      against: "raw pipelined PFMERGE of the same keys",
      ours: rate("ours"),
      theirs: rate("raw"),
      ratio: ratioOf(samples, "ours", "raw"),
      target: 0.9,
    },
    {
      what: `${what}, calls in a pipeline`,
      against: "raw pipelined, all that a rotation writes",
      ours: rate("ours"),
      theirs: rate("writes"),
      ratio: ratioOf(samples, "ours", "writes"),
    },
    {
      what: `${what}, compiled`,
      against: "the same by hand in Lua",
      ours: rate("ours"),
      theirs: rate("ours twin"),
      ratio: ratioOf(samples, "ours", "ours twin"),
      target: 0.95,
    },
    {
      what: `${what}, calls in sequence: PING p99.9 of another client`,
      against: "",
      ours: milliseconds(waitMs),
      theirs: "",
      bound: { text: `≤ ${MAX_WAIT_MS} ms`, isHeld: waitMs <= MAX_WAIT_MS },
    },
  ];
}

function notesOf(pages: number, sequences: InSequence[], idle: Waits): string[] {
  const middle = [...sequences].sort((a, b) => a.waits.p999 - b.waits.p999)[Math.floor((sequences.length - 1) / 2)]!;
  return [
    `rotate_ud: each of ${pages} pages has five HyperLogLogs of 1 to 5 devices; default LIMIT (${DEFAULT_LIMIT}).`,
    `rotate_ud in sequence: ${middle.calls} calls, ${milliseconds(middle.wallMs / middle.calls)} a call as the client sees it, ` +
      `${perSecond((1000 * pages) / middle.wallMs, "pages")}; PING meanwhile ${describeWaits(middle.waits)}; ` +
      `on the idle server ${describeWaits(idle)}.`,
  ];
}

async function run(bench: Bench): Promise<Findings> {
  const { rotatedPages: pages, rotationRounds } = bench.sizes;
  await requireTwin(bench, "rotate_ud", devicesCommands);
  await bench.flush();
  const data = rotationData(pages);
  await bench.pipeline(devicesCommands(data));
  await save(bench);
  const samples = await interleave(bench, sidesOf(bench, data), rotationRounds);
  const idle = await pingIdle(bench, IDLE_MS);
  const sequences: InSequence[] = [];
  for (let round = 0; round < rotationRounds; round += 1) sequences.push(await inSequence(bench, "rotate_ud"));
  return { rows: rowsOf(samples, pages, sequences), notes: notesOf(pages, sequences, idle) };
}

export const rotationOfDevices: Group = { name: "rotate-ud", run };
