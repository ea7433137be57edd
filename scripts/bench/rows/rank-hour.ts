/** The top ten of an hour at its dearest: not rotated, of one website, in the middle of windows; server time of a call. */
import type { Bench } from "../bench";
import { quantile } from "../measure";
import { encode } from "../pipeline";
import { milliseconds, type Findings, type Group, type Row } from "../row";
import { random, sha1, zipf } from "../traffic";
import { HOUR_MS, MINUTE_MS } from "../../../host/runtime/time";

const WEBSITE = sha1("site.example");
const VIEWS_A_PAGE = 3.6;
const CALLS = 50;
const BATCHES = 7;
const CHUNK = 1000;
const MOST_MS = 5;

/** The rankings asked for; the middle of windows is where minutes are read that rotation has carried on. */
interface Case {
  what: string;
  isRotated: boolean;
  isAligned: boolean;
  ofWebsite: boolean;
}

const CASES: readonly Case[] = [false, true].flatMap((isRotated) =>
  [true, false].flatMap((isAligned) =>
    [false, true].map((ofWebsite) => ({
      what: [
        isRotated ? "rotated" : "not rotated",
        ...(isAligned ? [] : ["in the middle of windows"]),
        ...(ofWebsite ? ["WEBSITE"] : []),
      ].join(", "),
      isRotated,
      isAligned,
      ofWebsite,
    })),
  ),
);

/** A whole hour that has just ended. */
function hourOf(): { fromMs: number; toMs: number; nowMs: number } {
  const toMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  return { fromMs: toMs - HOUR_MS, toMs, nowMs: toMs + 1 };
}

/** An hour's views of one website by minute, as counting leaves them: Zipf, each page one view at least. */
async function seed(bench: Bench, pages: number, fromMs: number): Promise<number> {
  const views = Math.round(pages * VIEWS_A_PAGE);
  const next = random();
  const pick = zipf(pages, next);
  const ids = Array.from({ length: pages }, (_, page) => sha1(`page ${page}`));
  const minutes = Array.from({ length: 60 }, () => new Map<string, number>());
  for (let view = 0; view < views; view += 1) {
    const minute = minutes[Math.floor((view * 60) / views)]!;
    const id = ids[view < pages ? (view * 7919) % pages : pick()]!;
    minute.set(id, (minute.get(id) ?? 0) + 1);
  }
  const commands: Buffer[] = [];
  for (const [at, minute] of minutes.entries()) {
    const flat = [...minute].flat();
    for (let from = 0; from < flat.length; from += 2 * CHUNK)
      commands.push(
        encode(["HSET", `H:1MINUTE.OPEN:P::${fromMs + at * MINUTE_MS}:PG`, ...flat.slice(from, from + 2 * CHUNK)]),
      );
  }
  for (let windowMs = fromMs; windowMs < fromMs + HOUR_MS; windowMs += 5 * MINUTE_MS)
    commands.push(encode(["ZADD", "SS:5MINUTES.PENDING:P:::PG", windowMs, windowMs]));
  for (let from = 0; from < pages; from += CHUNK) {
    const members = ids.slice(from, from + CHUNK).flatMap((id) => [fromMs, id]);
    commands.push(encode(["ZADD", `SS:PAGES:W:${WEBSITE}::`, ...members]));
  }
  await bench.pipeline(commands);
  return minutes.reduce((sum, minute) => sum + minute.size, 0);
}

async function rotate(bench: Bench, nowMs: number): Promise<void> {
  for (;;) {
    const reply = (await bench.call("FCALL", "rotate_pg", 0, "LIMIT", 1000, "NOW", nowMs)) as unknown[];
    if (reply[5] === 0) return;
  }
}

/** The least of some averages: what else the machine does only ever adds. */
async function serverTime(bench: Bench, call: (string | number)[]): Promise<number> {
  const calls = Array.from({ length: CALLS }, () => encode(call));
  await bench.pipeline(calls);
  const times: number[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const before = await bench.cpuMs();
    await bench.pipeline(calls);
    times.push(((await bench.cpuMs()) - before) / CALLS);
  }
  return quantile(times, 0);
}

async function rowOf(bench: Bench, { what, isAligned, ofWebsite }: Case, pages: number): Promise<Row> {
  const { fromMs, toMs, nowMs } = hourOf();
  const [from, to] = isAligned ? [fromMs, toMs] : [fromMs + 2 * MINUTE_MS, toMs - 3 * MINUTE_MS];
  const website = ofWebsite ? ["WEBSITE", WEBSITE] : [];
  const call = ["FCALL", "rank_pg", 0, "P", "FROM", from, "TO", to, ...website, "NOW", nowMs];
  const ms = await serverTime(bench, call);
  const reply = (await bench.call(...call)) as unknown[];
  return {
    what: `rank_pg P, top 10 of an hour: ${what}`,
    against: `${pages.toLocaleString("en-US")} pages; exact ${String(reply[5])}`,
    ours: `${milliseconds(ms)} of server time`,
    theirs: "",
    bound: { text: `≤ ${MOST_MS} ms`, isHeld: ms <= MOST_MS },
  };
}

async function run(bench: Bench): Promise<Findings> {
  const rows: Row[] = [];
  const notes: string[] = [];
  const { fromMs, nowMs } = hourOf();
  for (const pages of [bench.sizes.pages, bench.sizes.searchedPages]) {
    await bench.flush();
    const records = await seed(bench, pages, fromMs);
    for (const each of CASES.filter(({ isRotated }) => !isRotated)) rows.push(await rowOf(bench, each, pages));
    await rotate(bench, nowMs);
    for (const each of CASES.filter(({ isRotated }) => isRotated)) rows.push(await rowOf(bench, each, pages));
    notes.push(
      `rank_pg of an hour: ${VIEWS_A_PAGE} views a page (one each, the others by Zipf), ${records.toLocaleString("en-US")} ` +
        `records of pages and minutes of one website; least of ${BATCHES} averages of ${CALLS} calls.`,
    );
  }
  return { rows, notes };
}

export const rankingOfAnHour: Group = { name: "rank-hour", run };
