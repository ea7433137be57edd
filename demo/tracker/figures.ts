/** What the report shows, read through functions. */
import { BOUNDS, TIERS, type DocumentedDimension, type HotpathFunctions, type Tier } from "../../host/contract";
import type { Figures, ReportData } from "./report";
import { windowStart } from "./simulation";
import { DAY_MS, HOUR_MS, WEEK_MS } from "../../host/runtime/time";

/** Functions that read, and the stretch of time that is asked for. */
export interface Question {
  functions: HotpathFunctions;
  fromMs: number;
  /** Not included. */
  toMs: number;
  /** Clock of the calls. */
  nowMs: number;
}

/** An id with its page views. */
export type Ranked = [id: string, views: number];

export interface Ranking {
  /** What is covered, rounded outwards to whole windows. */
  fromMs: number;
  toMs: number;
  ranked: Ranked[];
}

/** The most that rank_pg lists. */
export const MAX_RANKED = BOUNDS.rankPg.count[1];

/** More hours than any terminal shows. */
const MAX_HOURS = 7 * 24;
const LISTED = { sites: 10, pages: 10, sections: 10, sitesWithSpans: 3 };

/** The most viewed; nothing where nothing is kept. */
export async function rank(
  { functions, fromMs, toMs, nowMs }: Question,
  dimension: DocumentedDimension,
  count: number,
): Promise<Ranking> {
  const answer = await functions.rankPg({ dimension, from: fromMs, to: toMs, count, now: nowMs });
  return answer === null
    ? { fromMs, toMs, ranked: [] }
    : { fromMs: answer.from, toMs: answer.to, ranked: answer.ranking };
}

/** Page views of a ranking together. */
export function sumOf(ranked: readonly Ranked[]): number {
  return ranked.reduce((sum, [, views]) => sum + views, 0);
}

/** All parts of the report that the server knows. */
export type ServerFigures = Pick<
  ReportData,
  "total" | "sites" | "pages" | "sections" | "devices" | "hours" | "tiers" | "rejected" | "late"
>;

/**
 * Asks for everything.
 *
 * @param websites the ranking of websites for the same stretch of time
 * @param startMs when the traffic began, which may be before what is kept
 */
export async function readFigures(question: Question, websites: Ranking, startMs: number): Promise<ServerFigures> {
  const { functions, nowMs } = question;
  const status = await functions.getTrackerStatus({ now: nowMs });
  return {
    total: await totalOf(question, websites),
    sites: await each(websites.ranked.slice(0, LISTED.sites), async ([id, views]) => ({
      name: await siteName(functions, id),
      ...(await figuresOf(question, "W", id, views)),
    })),
    pages: await readPages(question),
    sections: await readSections(question),
    devices: await readSpans(question, websites),
    hours: await readHours(question, websites, startMs),
    tiers: status.tiers.map(([tier, windows, records]) => ({
      tier,
      windows,
      records,
      ...reachOf(tier, windows, startMs, nowMs),
    })),
    rejected: status.rejected.map(([name, count]) => ({ name, count })),
    late: status.late,
  };
}

/** Devices are merged for each website, not over all of them: with several, their number is not known. */
async function totalOf(question: Question, { ranked }: Ranking): Promise<Figures> {
  const [only, ...more] = ranked;
  if (only === undefined || more.length > 0) return { pageViews: sumOf(ranked) };
  return figuresOf(question, "W", only[0], only[1]);
}

async function figuresOf(
  { functions, fromMs, toMs, nowMs }: Question,
  dimension: DocumentedDimension,
  id: string,
  pageViews: number,
): Promise<Figures> {
  const devices = await functions.countUd({ dimension, id, from: fromMs, to: toMs, now: nowMs });
  return { pageViews, uniqueDevices: devices?.value };
}

async function readPages(question: Question): Promise<ReportData["pages"]> {
  const { ranked } = await rank(question, "P", LISTED.pages);
  return each(ranked, async ([id, views]) => {
    const page = await readDocument<{ url: string; metadata: { title: string | null } }>(question.functions, "P", id);
    return { url: page.url, title: page.metadata.title ?? undefined, ...(await figuresOf(question, "P", id, views)) };
  });
}

async function readSections(question: Question): Promise<ReportData["sections"]> {
  const { ranked } = await rank(question, "S", LISTED.sections);
  return each(ranked, async ([id, views]) => {
    const section = await readDocument<{ name: string; website: { name: string } }>(question.functions, "S", id);
    return {
      website: section.website.name.toLowerCase(),
      name: section.name,
      ...(await figuresOf(question, "S", id, views)),
    };
  });
}

/** The name of a website as hosts are written; its document has it in capitals. */
export async function siteName(functions: HotpathFunctions, id: string): Promise<string> {
  return (await readDocument<{ name: string }>(functions, "W", id)).name.toLowerCase();
}

async function readDocument<T>(functions: HotpathFunctions, dimension: DocumentedDimension, id: string): Promise<T> {
  const json = await functions.getDocument({ dimension, id, count: 1 });
  if (json === null) throw new Error(`the server ranks ${dimension} ${id}, but has no document of it`);
  return JSON.parse(json) as T;
}

/** The leading websites over ever longer spans that end now. */
async function readSpans(question: Question, { ranked }: Ranking): Promise<ReportData["devices"]> {
  const { functions, fromMs, nowMs } = question;
  const spans = SPANS.filter(({ ms }) => ms < nowMs - fromMs || ms === HOUR_MS);
  const rows: ReportData["devices"] = [];
  for (const [id] of ranked.slice(0, LISTED.sitesWithSpans)) {
    const site = ranked.length > 1 ? `${await siteName(functions, id)}, ` : "";
    for (const { name, ms } of spans)
      rows.push({ span: site + name, ...(await countSpan({ ...question, fromMs: nowMs - ms }, id)) });
  }
  return rows;
}

const SPANS = [
  { name: "last hour", ms: HOUR_MS },
  { name: "last 24 hours", ms: DAY_MS },
  { name: "last 7 days", ms: WEEK_MS },
];

async function countSpan(question: Question, id: string): Promise<Figures> {
  const { functions, fromMs, toMs, nowMs } = question;
  const views = await functions.countPg({ dimension: "W", id, from: fromMs, to: toMs, now: nowMs });
  return figuresOf(question, "W", id, views?.value ?? 0);
}

/** Page views of all websites, hour by hour. */
async function readHours(question: Question, websites: Ranking, startMs: number): Promise<ReportData["hours"]> {
  const lastMs = windowStart(HOUR_MS, question.nowMs);
  const firstMs = Math.max(windowStart(HOUR_MS, startMs), lastMs - (MAX_HOURS - 1) * HOUR_MS);
  const points = await readPoints(question, websites, firstMs);
  const hours: ReportData["hours"] = [];
  for (let startMs = firstMs; startMs <= lastMs; startMs += HOUR_MS) {
    hours.push({ startMs, pageViews: (await countHour(question, startMs)) ?? points.get(startMs) ?? 0 });
  }
  return hours;
}

/** Exact while the hour is kept as such; undefined where only the three hours around it are. */
async function countHour(question: Question, startMs: number): Promise<number | undefined> {
  if (question.nowMs - startMs >= DAY_MS + HOUR_MS) return undefined;
  const { fromMs, toMs, ranked } = await rank(
    { ...question, fromMs: startMs, toMs: startMs + HOUR_MS },
    "W",
    MAX_RANKED,
  );
  return fromMs === startMs && toMs <= startMs + HOUR_MS ? sumOf(ranked) : undefined;
}

/** The hours of the series, which outlive the windows. */
async function readPoints(
  { functions, nowMs }: Question,
  { ranked }: Ranking,
  fromMs: number,
): Promise<Map<number, number>> {
  const sums = new Map<number, number>();
  if (nowMs - fromMs < DAY_MS) return sums;
  for (const [id] of ranked) {
    const points = await functions.rangePg({ dimension: "W", id, tier: "1HOUR", from: fromMs, to: nowMs });
    for (const [startMs, views] of points) sums.set(startMs, (sums.get(startMs) ?? 0) + views);
  }
  return sums;
}

/** From when to when a tier reaches: as far back as it is kept, but not before the traffic began. */
function reachOf(tier: string, windows: number, startMs: number, nowMs: number): { fromMs?: number; toMs?: number } {
  if (!(tier in TIERS) || windows === 0) return {};
  const { lengthMs, keepMs } = TIERS[tier as Tier];
  return { fromMs: windowStart(lengthMs, Math.max(startMs, nowMs - keepMs)), toMs: nowMs };
}

/** One after another: the server does one thing at a time anyway. */
async function each<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await ask(item));
  return results;
}
