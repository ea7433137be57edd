/** Counted against sent. */
import type { HotpathFunctions } from "../../host/contract";
import type { Check } from "../checks";
import { MAX_RANKED, rank, siteName, sumOf, type Question, type Ranking } from "./figures";
import type { FeedSummary } from "./feed";
import type { DemoTraffic } from "./traffic";

/** What the database held before: nothing, unless the demo was told to count into one that is in use. */
export interface Baseline {
  /** Page views by id of the website. */
  views: ReadonlyMap<string, number>;
  /** Refused events by reason. */
  rejected: ReadonlyMap<string, number>;
}

/** How many pages are compared one by one. */
const COMPARED_PAGES = 10;

/**
 * Reads what is there before anything is fed.
 *
 * @param question the stretch of time that the report will be about
 */
export async function readBaseline(question: Question): Promise<Baseline> {
  const { ranked } = await rank(question, "W", MAX_RANKED);
  const { rejected } = await question.functions.getTrackerStatus({ now: question.nowMs });
  return { views: new Map(ranked), rejected: new Map(rejected) };
}

export interface Evidence {
  question: Question;
  traffic: DemoTraffic;
  fed: FeedSummary;
  websites: Ranking;
  before: Baseline;
}

/** Compares what the server answers with what is known of the traffic. */
export async function check(evidence: Evidence): Promise<Check[]> {
  return [
    checkEvents(evidence),
    ...checkViews(evidence),
    ...(await checkSites(evidence)),
    ...(await checkPages(evidence)),
    ...(await checkRejected(evidence)),
  ];
}

/** Every event was read from the stream, and either counted or refused. */
function checkEvents({ fed }: Evidence): Check {
  return { name: "events sent", expected: fed.sent, counted: fed.accepted + fed.rejected };
}

/** Left out where the answer is none to this question: older than all that is kept, or more websites than are listed. */
function checkViews({ fed, websites, traffic, before }: Evidence): Check[] {
  if (websites.fromMs > traffic.startMs || websites.ranked.length >= MAX_RANKED) return [];
  const earlier = [...before.views.values()].reduce((sum, views) => sum + views, 0);
  return [
    {
      name: "page views of all sites",
      expected: traffic.truth()?.good ?? fed.accepted,
      counted: sumOf(websites.ranked) - earlier,
    },
  ];
}

async function checkSites({ question, traffic, websites, before }: Evidence): Promise<Check[]> {
  const truth = traffic.truth();
  if (truth === undefined) return [];
  const counted = await viewsByName(question.functions, websites, before);
  return truth.sites.map(({ website, pageViews }) => ({
    name: `page views of ${website}`,
    expected: pageViews,
    counted: counted.get(website) ?? 0,
  }));
}

async function viewsByName(
  functions: HotpathFunctions,
  { ranked }: Ranking,
  before: Baseline,
): Promise<Map<string, number>> {
  const views = new Map<string, number>();
  for (const [id, counted] of ranked) views.set(await siteName(functions, id), counted - (before.views.get(id) ?? 0));
  return views;
}

/** The generator's own leaders; not where others' pages may be among those of the server. */
async function checkPages({ question, traffic, before }: Evidence): Promise<Check[]> {
  const expected = traffic.topPages(COMPARED_PAGES);
  if (expected.length === 0 || before.views.size > 0) return [];
  const { ranked } = await rank(question, "P", expected.length);
  const total = expected.reduce((sum, { pageViews }) => sum + pageViews, 0);
  return [{ name: `page views of the top ${expected.length} pages`, expected: total, counted: sumOf(ranked) }];
}

async function checkRejected({ question, traffic, before }: Evidence): Promise<Check[]> {
  const truth = traffic.truth();
  if (truth === undefined) return [];
  const { rejected } = await question.functions.getTrackerStatus({ now: question.nowMs });
  const counted = new Map(rejected);
  return Object.entries(truth.badByReason).map(([reason, expected]) => ({
    name: `rejected: ${reason}`,
    expected,
    counted: (counted.get(reason) ?? 0) - (before.rejected.get(reason) ?? 0),
  }));
}
