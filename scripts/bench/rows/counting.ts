/** Counting events: compiled functions, their twins by hand, and the raw pipeline, in the same rounds. */
import type { Bench } from "../bench";
import { interleave, rateOf, ratioOf, type Samples, type Side } from "../measure";
import { COMPILED, withTwin, type LibraryName } from "../libraries";
import { encode } from "../pipeline";
import { perSecond, type Findings, type Group, type Row } from "../row";
import { requireSame, takePicture, type Picture } from "../same-data";
import {
  ingestCommands,
  makeEvents,
  makePages,
  namedTrackCommands,
  oneOfEach,
  rawCommands,
  streamCommands,
  trackCommands,
  type Event,
  type Page,
} from "../traffic";
import { DAY_MS, MINUTE_MS } from "../../../host/runtime/time";

const INGEST_LIMIT = 1000;
const BATCH = 100;
const WRITE_BYTES = 64 * 1024;

interface Workload {
  pages: Page[];
  warm: Event[];
  events: Event[];
}

/** Commands glued into few writes beforehand: millions of small buffers would keep the client busy. */
function glued(commands: readonly Buffer[]): Buffer[] {
  const writes: Buffer[] = [];
  let pending: Buffer[] = [];
  let size = 0;
  for (const command of commands) {
    pending.push(command);
    size += command.length;
    if (size < WRITE_BYTES) continue;
    writes.push(Buffer.concat(pending));
    pending = [];
    size = 0;
  }
  return [...writes, Buffer.concat(pending)];
}

/**
 * Times as on a live server, so that no call needs NOW.
 *
 * @param perMinute how dense the events lie
 * @param isRunning whether the first minute has been running for a while: every page was seen in it. At full speed that is the
 *   rule: of the millions of events of a minute, one a page is the first. Otherwise pages were seen the minute before
 */
function workload(bench: Bench, perMinute: number, isRunning: boolean): Workload {
  const { events: count, pages: pageCount, websites, devices } = bench.sizes;
  const pages = makePages(pageCount, websites);
  const minutes = Math.ceil(count / perMinute);
  const startMs = (Math.floor(Date.now() / MINUTE_MS) - minutes) * MINUTE_MS;
  return {
    pages,
    warm: oneOfEach(pages, isRunning ? startMs : startMs - MINUTE_MS),
    events: makeEvents(pages, { count, perMinute, devices, startMs }),
  };
}

/** What the names of a side's functions begin with, and the libraries that are on its server. */
interface Kind {
  prefix: "" | "twin_" | "floor_";
  libraries: readonly LibraryName[];
}

const OURS: Kind = { prefix: "", libraries: COMPILED };
const BY_HAND: Kind = { prefix: "twin_", libraries: withTwin("counting twin", "tracker") };
const LEAST: Kind = { prefix: "floor_", libraries: ["floor"] };

/** The side that sends `commands` to a database that has seen every page. */
function side(
  bench: Bench,
  label: string,
  libraries: readonly LibraryName[],
  warm: Buffer[],
  commands: Buffer[],
  stream: Buffer[] = [],
): Side {
  const writes = glued(commands);
  return {
    label,
    libraries,
    prepare: async () => {
      await bench.flush();
      await bench.pipeline(warm);
      if (stream.length > 0) await bench.pipeline(stream);
    },
    run: () => bench.pipeline(writes),
  };
}

function sidesOf(bench: Bench, { warm, events }: Workload): Record<"raw" | "others", Side[]> {
  const stream = glued(streamCommands(events));
  const warmBy = (prefix: Kind["prefix"], batch: number): Buffer[] =>
    glued(trackCommands(`${prefix}track_events`, warm, batch));
  // The least that a function can do takes one event a call.
  const known = { "": warmBy("", 1000), twin_: warmBy("twin_", 1000), floor_: warmBy("floor_", 1) };
  const ingest = (label: string, { prefix, libraries }: Kind): Side =>
    side(
      bench,
      label,
      libraries,
      known[prefix],
      ingestCommands(`${prefix}ingest_events`, events.length, INGEST_LIMIT),
      stream,
    );
  const track = (label: string, { prefix, libraries }: Kind, batch: number): Side =>
    side(bench, label, libraries, known[prefix], trackCommands(`${prefix}track_events`, events, batch));
  return {
    raw: [side(bench, "raw", COMPILED, glued(rawCommands(warm)), rawCommands(events))],
    others: [
      ingest("ingest", OURS),
      ingest("ingest twin", BY_HAND),
      track("batch", OURS, BATCH),
      track("batch twin", BY_HAND, BATCH),
      track("single", OURS, 1),
      track("single twin", BY_HAND, 1),
      ingest("ingest floor", LEAST),
      track("single floor", LEAST, 1),
    ],
  };
}

/** One event a call, each named by ONCE. The libraries are loaded anew, because they add up what they keep. */
function namedSide(bench: Bench, { warm, events }: Workload): Side {
  const known = glued(trackCommands("track_events", warm, 1000));
  const named = side(bench, "named", COMPILED, known, namedTrackCommands(events));
  return {
    ...named,
    prepare: async () => {
      await bench.libraries.reload();
      await named.prepare();
    },
  };
}

/** Malformed, late-ish and media events beside plain ones, for the comparison of twins. */
function oddEvents(pages: readonly Page[], startMs: number): object[] {
  const url = pages[0]!.url;
  return [
    { url: "ftp://x.example/", uui: "d", dt: startMs },
    { url, uui: "", dt: startMs },
    { url, uui: "d", dt: "soon" },
    { url, uui: "d", dt: startMs + DAY_MS },
    { url, uui: "d", dt: startMs, audio: "a1", video: "v1", podcast: "p1" },
    { url: "https://user:pw@WWW.New.example:8080//a//b%20c/d.html#top", uui: "d", dt: `${startMs}` },
    { url: "http://[::1]:80/x/y", uui: 7, dt: startMs - 3 * MINUTE_MS },
  ];
}

type Runner = (track: string, ingest: string) => Promise<unknown>;

async function pictureOf(bench: Bench, run: Runner, prefix: string): Promise<{ replies: unknown; picture: Picture }> {
  await bench.flush();
  const replies = await run(`${prefix}track_events`, `${prefix}ingest_events`);
  // Ids of refused events are times; what was refused shows in the counters and replies.
  await bench.call("DEL", "ST:REJECTED::::", "ST:REJECTED::{shard}::");
  return { replies, picture: await takePicture(bench) };
}

async function requireTwin(bench: Bench, what: string, run: Runner): Promise<void> {
  const compiled = await pictureOf(bench, run, "");
  const byHand = await pictureOf(bench, run, "twin_");
  if (JSON.stringify(compiled.replies) !== JSON.stringify(byHand.replies)) {
    throw new Error(
      `${what}: replies differ: ${JSON.stringify(compiled.replies)} and ${JSON.stringify(byHand.replies)}`,
    );
  }
  requireSame(what, compiled.picture, byHand.picture);
}

/** The twins must do the same work on the same input, bad and late events and a routing key included. */
async function requireTwins(bench: Bench, { pages, events }: Workload): Promise<void> {
  await bench.libraries.use([...COMPILED, "counting twin"]);
  const few = events.slice(0, 20_000);
  const startMs = few[0]!.timeMs;
  const odd = oddEvents(pages, startMs).map((event) => JSON.stringify(event));
  const call = (...args: (string | number)[]): Promise<unknown> => bench.call("FCALL", ...args);
  await requireTwin(bench, "track_events, one event a call", async (track) => {
    await bench.pipeline(trackCommands(track, few, 1));
    return Promise.all(odd.map((event) => call(track, 0, event)));
  });
  await requireTwin(bench, "track_events in batches", async (track) => {
    await bench.pipeline(trackCommands(track, few, BATCH));
    await bench.call("HSET", "H:TRACKER::::", "rotated", startMs + 10 * MINUTE_MS);
    return [await call(track, 0, ...odd), await call(track, 1, "{shard}", ...odd)];
  });
  await requireTwin(bench, "ingest_events", async (_track, ingest) => {
    await bench.pipeline(streamCommands(few));
    const extra = oddEvents(pages, startMs).map((event) => Object.entries(event).flat().map(String));
    for (const [index, fields] of extra.entries())
      await bench.call("XADD", "ST:TRACKER::::", `${startMs * 2}-${index}`, ...fields);
    const replies: unknown[] = [];
    for (let at = 0; at < 12; at += 1) replies.push(await call(ingest, 0, "LIMIT", 2000));
    return replies;
  });
}

const RAW = "raw pipelined ZINCRBY ×3 + PFADD ×3";
const TWIN = "the same by hand in Lua";
const FLOOR = "the least that a function can do";

function againstRaw(samples: Samples, count: number, label: string, what: string, target?: number): Row {
  return {
    what,
    against: RAW,
    ours: perSecond(rateOf(samples, label, count), "events"),
    theirs: perSecond(rateOf(samples, "raw", count), "events"),
    ratio: ratioOf(samples, label, "raw"),
    target,
  };
}

function againstTwin(samples: Samples, count: number, label: string, what: string): Row {
  return {
    what: `${what}, compiled`,
    against: TWIN,
    ours: perSecond(rateOf(samples, label, count), "events"),
    theirs: perSecond(rateOf(samples, `${label} twin`, count), "events"),
    ratio: ratioOf(samples, label, `${label} twin`),
    target: 0.95,
  };
}

/** How near the raw pipeline any function could come, and how near to that ours is. */
function floorRows(samples: Samples, count: number, label: string, what: string): Row[] {
  const floor = `${label} floor`;
  return [
    {
      what: `${FLOOR}: ${what}`,
      against: RAW,
      ours: perSecond(rateOf(samples, floor, count), "events"),
      theirs: perSecond(rateOf(samples, "raw", count), "events"),
      ratio: ratioOf(samples, floor, "raw"),
    },
    {
      what,
      against: FLOOR,
      ours: perSecond(rateOf(samples, label, count), "events"),
      theirs: perSecond(rateOf(samples, floor, count), "events"),
      ratio: ratioOf(samples, label, floor),
    },
  ];
}

/** What it costs to name a call. */
function againstUnnamed(samples: Samples, count: number): Row {
  return {
    what: "track_events, one event a call under ONCE",
    against: "the same without ONCE",
    ours: perSecond(rateOf(samples, "named", count), "events"),
    theirs: perSecond(rateOf(samples, "single", count), "events"),
    ratio: ratioOf(samples, "named", "single"),
    target: 0.87,
  };
}

function rowsOf(samples: Samples, count: number): Row[] {
  const ingest = `ingest_events LIMIT ${INGEST_LIMIT}`;
  const batch = `track_events, ${BATCH} events a call`;
  const single = "track_events, one event a call";
  return [
    againstRaw(samples, count, "ingest", ingest, 1),
    againstRaw(samples, count, "batch", batch),
    againstRaw(samples, count, "single", single, 0.5),
    againstUnnamed(samples, count),
    againstTwin(samples, count, "ingest", ingest),
    againstTwin(samples, count, "batch", batch),
    againstTwin(samples, count, "single", single),
    ...floorRows(samples, count, "ingest", ingest),
    ...floorRows(samples, count, "single", single),
  ];
}

/** Whole minutes from their first event: each page is announced and noted once in each of them. */
async function wholeMinutes(bench: Bench, perMinute: number): Promise<Row[]> {
  const { rounds, events: count } = bench.sizes;
  const load = workload(bench, perMinute, false);
  const { raw, others } = sidesOf(bench, load);
  const ours = others.filter(({ label }) => label === "ingest" || label === "single");
  const samples = await interleave(bench, [...raw, ...ours], rounds);
  const firsts = new Set(load.events.map(({ page, timeMs }) => `${page.pageId}${Math.floor(timeMs / MINUTE_MS)}`)).size;
  const minutes = Math.ceil(count / perMinute);
  const where = `${minutes === 1 ? "a whole minute" : `${minutes} whole minutes`}, ${((100 * firsts) / count).toFixed(0)} % first of page and minute`;
  return [
    againstRaw(samples, count, "ingest", `ingest_events LIMIT ${INGEST_LIMIT}: ${where}`),
    againstRaw(samples, count, "single", `track_events, one event a call: ${where}`),
  ];
}

/** Nothing but the call: what of a single event's cost is neither ours nor the raw pipeline's. */
function emptyCalls(bench: Bench, count: number): Side {
  const writes = glued(Array.from({ length: count }, () => encode(["FCALL", "tracker_library", 0])));
  return { label: "empty", libraries: COMPILED, prepare: () => bench.flush(), run: () => bench.pipeline(writes) };
}

async function run(bench: Bench): Promise<Findings> {
  const { busyMinute, quietMinute, rounds, events, pages, websites, devices } = bench.sizes;
  await requireTwins(bench, workload(bench, busyMinute, false));
  const busy = workload(bench, busyMinute, true);
  const { raw, others } = sidesOf(bench, busy);
  const samples = await interleave(
    bench,
    [...raw, ...others, namedSide(bench, busy), emptyCalls(bench, events)],
    rounds,
  );
  const empty = perSecond(rateOf(samples, "empty", events), "calls");
  return {
    rows: [
      ...rowsOf(samples, events),
      ...(await wholeMinutes(bench, busyMinute)),
      ...(await wholeMinutes(bench, quietMinute)),
    ],
    notes: [
      `Counting: ${events} events of a running minute a round, Zipf (exponent 1) over ${pages} pages of ${websites} websites, ` +
        `${devices} devices, a third of the addresses with a query; every page was seen in its minute before, but for the rows of whole minutes; ${rounds} rounds.`,
      `A call that does nothing (\`tracker_library\`): ${empty}.`,
      "Twins left the same keys, values and times to live as the compiled functions, refused, late and media events included.",
    ],
  };
}

export const counting: Group = { name: "counting", run };
