/**
 * The tracker's answers for websites that are counted in several partitions, put together from each partition's own: views add up,
 * rankings are merged exactly, unique devices are united.
 *
 * It does not matter by what rule events were spread over the partitions, or whether that rule has changed since: any record may be in
 * any of them. What is asked is asked of all at once; answers are of the same moment only as far as their NOW says.
 */
import { BOUNDS, type HotpathFunctions } from "../contract";
import { countUnion } from "./hyperloglog";

/** What can be asked of one partition or of several together. */
export type TrackerReads = Pick<
  HotpathFunctions,
  "countPg" | "countUd" | "rankPg" | "rangePg" | "rangeUd" | "getDocument" | "identifyUrl" | "identifyName"
>;

/** What is needed of each partition for that. */
export type PartitionReads = TrackerReads & Pick<HotpathFunctions, "getDevices">;

type RankArguments = Parameters<TrackerReads["rankPg"]>[0];
type Ranking = NonNullable<Awaited<ReturnType<TrackerReads["rankPg"]>>>;
interface Span {
  from: number;
  to: number;
}

const MOST_RANKED = BOUNDS.rankPg.count[1];

/**
 * The reads of several partitions as if they were one.
 *
 * - `countPg`, `rangePg`: sums.
 * - `countUd`: the union of what all have seen, as exact as one HyperLogLog; live as well.
 * - `rankPg`: the records with the most views over all partitions. `exact` is 0 where a partition says so, or where
 *   so many records have nearly the same views that the longest lists do not tell who is next.
 * - `rangeUd`: of websites, sections and media the points of the record's home, where devices are brought together within minutes
 *   after rotation; of a page, those of the partition that has most of it.
 * - `getDocument`: that of the last visit; lists of sections and pages are merged.
 *
 * Errors are those of any of the calls: an answer without a partition would be a wrong one.
 *
 * @param partitions the functions of each
 */
export function unitedReads(partitions: readonly PartitionReads[]): TrackerReads {
  const [any] = partitions;
  if (any === undefined) throw new RangeError("there must be one partition at least");
  if (partitions.length === 1) return any;
  return {
    countPg: (args) => countPg(partitions, args),
    countUd: (args) => countUd(partitions, args),
    rankPg: (args) => rankPg(partitions, args),
    rangePg: async (args) => mergePoints(await Promise.all(partitions.map((each) => each.rangePg(args))), add),
    rangeUd: async (args) => mergePoints(await Promise.all(partitions.map((each) => each.rangeUd(args))), Math.max),
    getDocument: async (args) =>
      mergeDocuments(await Promise.all(partitions.map((each) => each.getDocument(args))), args.count ?? LISTED),
    identifyUrl: (args) => any.identifyUrl(args),
    identifyName: (args) => any.identifyName(args),
  };
}

function add(a: number, b: number): number {
  return a + b;
}

/**
 * Asks all about the same time. What is kept depends on how far rotation has come, so one may cover more than another; then all are
 * asked once more, about the widest.
 */
async function askAll<A extends Span, R extends Span>(
  partitions: readonly PartitionReads[],
  args: A,
  ask: (partition: PartitionReads, args: A) => Promise<R | null>,
): Promise<(Span & { answers: (R | null)[] }) | null> {
  const answers = await Promise.all(partitions.map((each) => ask(each, args)));
  const span = widest(answers);
  if (span === null) return null;
  if (answers.every((each) => each?.from === span.from && each.to === span.to)) return { ...span, answers };
  const again = await Promise.all(partitions.map((each) => ask(each, { ...args, ...span })));
  return { ...(widest(again) ?? span), answers: again };
}

function widest(spans: readonly (Span | null)[]): Span | null {
  const known = spans.filter((each) => each !== null);
  if (known.length === 0) return null;
  return { from: Math.min(...known.map(({ from }) => from)), to: Math.max(...known.map(({ to }) => to)) };
}

async function countPg(
  partitions: readonly PartitionReads[],
  args: Parameters<TrackerReads["countPg"]>[0],
): ReturnType<TrackerReads["countPg"]> {
  const asked = await askAll(partitions, args, (each, span) => each.countPg(span));
  if (asked === null) return null;
  const { from, to, answers } = asked;
  return { value: answers.reduce((sum, each) => sum + (each?.value ?? 0), 0), from, to };
}

async function countUd(
  partitions: readonly PartitionReads[],
  args: Parameters<TrackerReads["countUd"]>[0],
): ReturnType<TrackerReads["countUd"]> {
  const asked = await askAll(partitions, args, (each, span) => each.getDevices(span));
  if (asked === null) return null;
  const { from, to, answers } = asked;
  return { value: countUnion(answers.flatMap((each) => each?.devices ?? [])), from, to };
}

/** What partitions have listed: the views of each record where it is known, and what those that are not listed may have at most. */
interface Listed {
  views: Map<string, number>;
  /** Views of the last that is listed; 0 where all are. */
  unlistedMost: number;
}

/**
 * Three phases, as in Cao and Wang, "Efficient top-K query calculation in distributed networks" (PODC 2004): the first of each
 * partition; the views elsewhere of those that may be among the first of all; and where somebody whom no partition has listed may be
 * too, longer lists.
 */
async function rankPg(partitions: readonly PartitionReads[], args: RankArguments): Promise<Ranking | null> {
  const wanted = args.count ?? 10;
  for (let count = Math.min(MOST_RANKED, wanted + wanted); ; count = Math.min(MOST_RANKED, 4 * count)) {
    const asked = await askAll(partitions, { ...args, count }, (each, span) => each.rankPg(span));
    if (asked === null) return null;
    const { from, to, answers } = asked;
    const lists = answers.map((each) => listedOf(each?.ranking ?? [], count));
    const unlistedMost = lists.reduce((sum, each) => sum + each.unlistedMost, 0);
    const question = { dimension: args.dimension, from, to, ...(args.now !== undefined && { now: args.now }) };
    const ranking = await addUp(partitions, lists, question, wanted);
    const last = ranking[wanted - 1]?.[1] ?? 0;
    const isEnough = last >= unlistedMost || unlistedMost === 0;
    if (!isEnough && count < MOST_RANKED) continue;
    const exact = isEnough && answers.every((each) => each?.exact !== 0) ? 1 : 0;
    return { from, to, exact, ranking: ranking.slice(0, wanted) };
  }
}

/** Nobody who is not listed has more views than the last who is; where there was room for more, nobody has any. */
function listedOf(ranking: Ranking["ranking"], count: number): Listed {
  return { views: new Map(ranking), unlistedMost: ranking.length < count ? 0 : ranking.at(-1)![1] };
}

/** The views of all that are listed and may be among the first, most first. */
async function addUp(
  partitions: readonly PartitionReads[],
  lists: readonly Listed[],
  question: Omit<Parameters<TrackerReads["countPg"]>[0], "id">,
  wanted: number,
): Promise<[string, number][]> {
  const ids = [...new Set(lists.flatMap(({ views }) => [...views.keys()]))];
  const least = new Map(ids.map((id) => [id, lists.reduce((sum, { views }) => sum + (views.get(id) ?? 0), 0)]));
  const bar = [...least.values()].sort((a, b) => b - a)[wanted - 1] ?? 0;
  const sums = await Promise.all(
    ids.map(async (id): Promise<[string, number]> => {
      const known = least.get(id)!;
      const unknown = lists.flatMap(({ views, unlistedMost }, at) =>
        views.has(id) || unlistedMost === 0 ? [] : [{ partition: partitions[at]!, unlistedMost }],
      );
      if (known + unknown.reduce((sum, each) => sum + each.unlistedMost, 0) < bar) return [id, known];
      const more = await Promise.all(unknown.map(({ partition }) => partition.countPg({ ...question, id })));
      return [id, more.reduce((sum, each) => sum + (each?.value ?? 0), known)];
    }),
  );
  return sums.filter(([, views]) => views > 0).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

type Points = [number, number][];

function mergePoints(series: readonly Points[], merge: (a: number, b: number) => number): Points {
  const byWindow = new Map<number, number>();
  for (const [window, value] of series.flat()) {
    const before = byWindow.get(window);
    byWindow.set(window, before === undefined ? value : merge(before, value));
  }
  return [...byWindow].sort(([a], [b]) => a - b);
}

const LISTED = 100;

interface Visited {
  id: string;
  last_visited: number | null;
}

interface ListingDocument extends Visited {
  sections?: Visited[];
  pages?: Visited[];
}

function mergeDocuments(found: readonly (string | null)[], count: number): string | null {
  const documents = found
    .filter((each) => each !== null)
    .map((each) => JSON.parse(each) as ListingDocument)
    .sort(laterFirst);
  const [latest] = documents;
  if (latest === undefined) return null;
  if (documents.length === 1) return JSON.stringify(latest);
  const lists = (["sections", "pages"] as const).filter((list) => latest[list] !== undefined);
  return JSON.stringify({
    ...latest,
    ...Object.fromEntries(
      lists.map((list) => [list, mergeVisited(documents.flatMap((each) => each[list] ?? [])).slice(0, count)]),
    ),
  });
}

/** By last visit, each once. */
function mergeVisited(listed: Visited[]): Visited[] {
  const byId = new Map<string, Visited>();
  for (const each of listed.sort(laterFirst)) if (!byId.has(each.id)) byId.set(each.id, each);
  return [...byId.values()];
}

function laterFirst(a: Visited, b: Visited): number {
  return (b.last_visited ?? 0) - (a.last_visited ?? 0) || (a.id < b.id ? 1 : -1);
}
