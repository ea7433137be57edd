/** The notifier: scans through the stream, claims and acknowledgements, and who is due among many that wait. */
import type { Bench } from "../bench";
import { interleave, median, rateOf, ratioOf, type Samples, type Side } from "../measure";
import { encode } from "../pipeline";
import { milliseconds, perSecond, type Findings, type Group, type Row } from "../row";
import { restore, save } from "../saved";
import { random, zipf } from "../traffic";
import { HOUR_MS } from "../../../host/runtime/time";

const SCANS_PER_CALL = 250;
const CLAIMED_PER_CALL = 100;
const DUE_SELLERS = 100;
const SCAN_COUNT = 1000;

interface Scan {
  seller: string;
  package: string;
}

function makeScans(count: number, sellers: number): Scan[] {
  const pick = zipf(sellers, random());
  return Array.from({ length: count }, (_, at) => ({
    seller: String(pick()),
    package: `PKG${String(at).padStart(9, "0")}`,
  }));
}

const toStream = (scan: Scan): Buffer =>
  encode(["XADD", "packages", "*", "seller_id", scan.seller, "package_id", scan.package]);

/** Every call follows the scans that it reads, as in a stream that is followed. */
function throughStream(scans: readonly Scan[]): Buffer[] {
  const call = encode(["FCALL", "ingest_scans", 0, "packages", "LIMIT", SCANS_PER_CALL]);
  return scans.flatMap((scan, at) =>
    at % SCANS_PER_CALL === SCANS_PER_CALL - 1 || at === scans.length - 1 ? [toStream(scan), call] : [toStream(scan)],
  );
}

/** What a client would send for the same keys. */
function rawScans(scans: readonly Scan[]): Buffer[] {
  const dueMs = Date.now() + HOUR_MS;
  return scans.flatMap(({ seller, package: item }, at) => [
    toStream({ seller, package: item }),
    encode(["LPUSH", `SELLER:${seller}`, item]),
    encode(["ZADD", "due", dueMs + at, seller]),
  ]);
}

function emptied(bench: Bench, label: string, commands: Buffer[]): Side {
  return { label, prepare: () => bench.flush(), run: () => bench.pipeline(commands) };
}

/** A consumer without functions: it reads the stream and writes what it has read, a pipeline for each part of it. */
function consumer(bench: Bench, scans: readonly Scan[]): Side {
  const entries = scans.map(toStream);
  const run = async (): Promise<number> => {
    const start = performance.now();
    let last = "-";
    for (let at = 0; at < scans.length; at += SCANS_PER_CALL) {
      await bench.pipeline(entries.slice(at, at + SCANS_PER_CALL));
      const read = (await bench.call("XRANGE", "packages", last, "+", "COUNT", SCANS_PER_CALL)) as [string, string[]][];
      last = `(${read.at(-1)![0]}`;
      await bench.pipeline(
        read.flatMap(([id, [, seller, , item]]) => [
          encode(["LPUSH", `SELLER:${seller!}`, item!]),
          encode(["ZADD", "due", Number.parseInt(id) + HOUR_MS, seller!]),
        ]),
      );
    }
    return performance.now() - start;
  };
  return { label: "consumer", prepare: () => bench.flush(), run };
}

/** The same with ingest_scans, step by step as the consumer does it. */
function stepwise(bench: Bench, scans: readonly Scan[]): Side {
  const entries = scans.map(toStream);
  const run = async (): Promise<number> => {
    const start = performance.now();
    for (let at = 0; at < scans.length; at += SCANS_PER_CALL) {
      await bench.pipeline(entries.slice(at, at + SCANS_PER_CALL));
      await bench.call("FCALL", "ingest_scans", 0, "packages", "LIMIT", SCANS_PER_CALL);
    }
    return performance.now() - start;
  };
  return { label: "stepwise", prepare: () => bench.flush(), run };
}

async function scanRows(bench: Bench): Promise<Row[]> {
  const { scans: count, sellers, rounds } = bench.sizes;
  const scans = makeScans(count, sellers);
  const followed = emptied(bench, "stream", throughStream(scans));
  const sides = [followed, emptied(bench, "raw", rawScans(scans)), stepwise(bench, scans), consumer(bench, scans)];
  const samples = await interleave(bench, sides, rounds);
  await requireLists(bench, followed, scans);
  const row = (what: string, against: string, ours: string, theirs: string): Row => ({
    what,
    against,
    ours: perSecond(rateOf(samples, ours, count), "scans"),
    theirs: perSecond(rateOf(samples, theirs, count), "scans"),
    ratio: ratioOf(samples, ours, theirs),
  });
  return [
    {
      ...row(
        "ingest_scans in one pipeline, XADD included",
        "raw XADD + LPUSH + ZADD in one pipeline, nothing read",
        "stream",
        "raw",
      ),
      target: 1,
    },
    row(
      `ingest_scans after every ${SCANS_PER_CALL} XADD`,
      "a client that reads the stream: XADD, XRANGE, LPUSH + ZADD",
      "stepwise",
      "consumer",
    ),
  ];
}

/** @throws Error unless the busiest seller's list holds its packages in order, and as many sellers wait as were scanned */
async function requireLists(bench: Bench, side: Side, scans: readonly Scan[]): Promise<void> {
  await side.prepare();
  await side.run();
  const busiest = scans.filter(({ seller }) => seller === "0").map((scan) => scan.package);
  const list = await bench.call("LRANGE", "SELLER:0", 0, -1);
  const waiting = await bench.call("ZCARD", "SS:NOTIFIER.DUE::packages::");
  const expected = new Set(scans.map(({ seller }) => seller)).size;
  if (JSON.stringify(list) !== JSON.stringify(busiest)) throw new Error("SELLER:0 does not hold what was scanned");
  if (waiting !== expected) throw new Error(`${String(waiting)} sellers wait, not ${expected}`);
}

/** One package of each of so many sellers, all scanned at one time. */
function oneEach(sellers: number, atMs: number): Buffer[] {
  return Array.from({ length: sellers }, (_, at) =>
    encode(["FCALL", "scan_item", 0, "packages", at, `PKG${at}`, "NOW", atMs]),
  );
}

/** Claims and acknowledges until nothing is left. */
async function deliverAll(bench: Bench, sellers: number): Promise<number> {
  const start = performance.now();
  let delivered = 0;
  while (delivered < sellers) {
    const [, ...claimed] = (await bench.call(
      "FCALL",
      "claim_notifications",
      0,
      "packages",
      "COUNT",
      CLAIMED_PER_CALL,
    )) as string[];
    if (claimed.length === 0) throw new Error(`only ${delivered} of ${sellers} notifications were given out`);
    const leases = claimed.map((json) => JSON.parse(json) as { id: string; token: string });
    await Promise.all(
      leases.map(({ id, token }) => bench.call("FCALL", "ack_notification", 0, "packages", id, "TOKEN", token)),
    );
    delivered += claimed.length;
  }
  return performance.now() - start;
}

/** Reads and deletes lists whose names are known: no lease, no order, lost if the client dies. */
async function readAndDelete(bench: Bench, sellers: number): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < sellers; at += CLAIMED_PER_CALL) {
    const names = Array.from({ length: Math.min(CLAIMED_PER_CALL, sellers - at) }, (_, each) => `SELLER:${at + each}`);
    await Promise.all(names.map((name) => bench.call("LRANGE", name, 0, -1)));
    await Promise.all(names.map((name) => bench.call("DEL", name)));
  }
  return performance.now() - start;
}

async function deliveryRow(bench: Bench): Promise<Row> {
  const { sellers, rounds } = bench.sizes;
  await bench.flush();
  await bench.pipeline(oneEach(sellers, Date.now() - 2 * HOUR_MS));
  await save(bench);
  const sides: Side[] = [
    { label: "ours", prepare: () => restore(bench), run: () => deliverAll(bench, sellers) },
    { label: "raw", prepare: () => restore(bench), run: () => readAndDelete(bench, sellers) },
  ];
  const samples = await interleave(bench, sides, Math.min(rounds, 3));
  return {
    what: `claim_notifications COUNT ${CLAIMED_PER_CALL} and an ack_notification for each`,
    against: "LRANGE and DEL of each list, lost in a crash",
    ours: perSecond(rateOf(samples, "ours", sellers), "notifications"),
    theirs: perSecond(rateOf(samples, "raw", sellers), "notifications"),
    ratio: ratioOf(samples, "ours", "raw"),
  };
}

/** The source's way: all lists of the keyspace, and how long each was idle. */
async function scanIdleTimes(bench: Bench): Promise<number> {
  const start = performance.now();
  let found = 0;
  let cursor = "0";
  do {
    const [next, keys] = (await bench.call("SCAN", cursor, "MATCH", "SELLER:*", "COUNT", SCAN_COUNT)) as [
      string,
      string[],
    ];
    await bench.pipeline(keys.map((key) => encode(["OBJECT", "IDLETIME", key])));
    found += keys.length;
    cursor = next;
  } while (cursor !== "0");
  if (found < bench.sizes.waitingSellers) throw new Error(`SCAN found ${found} lists`);
  return performance.now() - start;
}

async function claimDue(bench: Bench): Promise<number> {
  const start = performance.now();
  const reply = (await bench.call("FCALL", "claim_notifications", 0, "packages", "COUNT", DUE_SELLERS)) as string[];
  const elapsed = performance.now() - start;
  if (reply.length !== DUE_SELLERS + 1)
    throw new Error(`${reply.length - 1} notifications were claimed, not ${DUE_SELLERS}`);
  return elapsed;
}

async function dueRow(bench: Bench): Promise<Row> {
  const { waitingSellers } = bench.sizes;
  await bench.flush();
  const nowMs = Date.now();
  await bench.pipeline(oneEach(waitingSellers, nowMs));
  // The first of them have been quiet for two hours.
  await bench.pipeline(
    Array.from({ length: DUE_SELLERS }, (_, at) =>
      encode(["ZADD", "SS:NOTIFIER.DUE::packages::", nowMs - HOUR_MS + at, at]),
    ),
  );
  const scanned: Side = { label: "scan", prepare: () => Promise.resolve(), run: () => scanIdleTimes(bench) };
  const idle = await interleave(bench, [scanned], 1);
  const samples: Samples = { ours: [], scan: [idle["scan"]![0]!] };
  const before = await bench.cpuMs();
  const wallMs = await claimDue(bench);
  samples["ours"]!.push({ wallMs, cpuMs: (await bench.cpuMs()) - before });
  return {
    what: `${DUE_SELLERS} due among ${waitingSellers.toLocaleString("en-US")} sellers that wait: found, leased and read`,
    against: "SCAN and OBJECT IDLETIME of each list, nothing read",
    ours: milliseconds(wallMs),
    theirs: milliseconds(median(samples["scan"]!.map((each) => each.wallMs))),
    ratio: ratioOf(samples, "ours", "scan"),
  };
}

async function run(bench: Bench): Promise<Findings> {
  const { scans, sellers } = bench.sizes;
  const rows = [...(await scanRows(bench)), await deliveryRow(bench), await dueRow(bench)];
  return {
    rows,
    notes: [
      `ingest_scans: ${scans} scans of different packages by ${sellers} sellers (Zipf), a call for each ${SCANS_PER_CALL}; the raw ` +
        "pipeline reads nothing back from the stream, notices no repeat, and may lose or double after a crash. Handing an entry of the " +
        "stream to Lua alone costs the server about what LPUSH and ZADD do; a consumer that reads the stream pays for it as well.",
      "claim and ack: one client that awaits each batch, the acknowledgements of a batch in one pipeline.",
    ],
  };
}

export const notifier: Group = { name: "notifier", run };
