/** Reads one refresh: a few calls for the rankings, and up to four for each row that is visible. */
import pLimit from "p-limit";
import { BOUNDS } from "../../contract";
import type { TrackerReads } from "../../tracker/shared";
import type { Source } from "../../tracker/source";
import type { Away, TopData, TopRow } from "./data";
import { Memo } from "./memo";
import {
  filterArguments,
  isSameSpan,
  placesSpanOf,
  POINT_MS,
  runningMinute,
  spanBefore,
  spanOf,
  type Query,
  type Span,
} from "./query";
import { UnavailableError } from "../../runtime/errors";
import { MINUTE_MS } from "../../runtime/time";

/** Calls under way at once: enough to hide the way to the server, few enough to leave it to others. */
const CONCURRENCY = 8;

/** A sum over websites is right if there are fewer than `rank_pg` lists. */
const MAX_RANKED = BOUNDS.rankPg.count[1];

/** Places before are looked up among this many: of 250 `rank_pg` is sure where minutes are not merged yet. */
const PLACES_BEFORE = 200;

/** Five-minute windows of a row's series: two hours. */
const POINTS = 24;

/** Within this long, late events may be missing from what is shown. Documents change when pages are enriched. */
const RANKING_LIFE_MS = 10_000;
const FIGURES_LIFE_MS = 30_000;
const DOCUMENT_LIFE_MS = MINUTE_MS;

/** A member of a ranking, and where it is from. */
interface Ranked {
  source: Source;
  id: string;
  views: number;
}

interface Ranking {
  span: Span;
  exact: boolean;
  ranked: Ranked[];
}

/** Who stood where in an earlier span. */
interface Places {
  span: Span;
  /** Rank and views by partition and id. */
  byKey: Map<string, { rank: number; views: number }>;
}

function keyOf({ source, id }: Pick<Ranked, "source" | "id">): string {
  return `${source.partition ?? ""} ${id}`;
}

export class TopReader {
  readonly #memo: Memo;
  readonly #away = new Map<string | null, Away>();
  readonly #limit = pLimit(CONCURRENCY);

  /**
   * @param sources one, or one for each partition
   * @param clock the server's, unix milliseconds
   */
  constructor(
    private readonly sources: readonly Source[],
    private readonly clock: () => Promise<number>,
    memo = new Memo(),
  ) {
    this.#memo = memo;
  }

  /**
   * Reads what is to be shown.
   *
   * @param visible the rows that get all figures: the first of them, and how many
   */
  async read(query: Query, visible: { first: number; count: number }): Promise<TopData> {
    const nowMs = await this.clock();
    await this.#findAway(query);
    const [ranking, rotated, running] = await Promise.all([
      this.#rank(query, spanOf(query.window, nowMs), nowMs, query.count),
      this.#rotated(),
      this.#total(query, runningMinute(nowMs), nowMs, 0),
    ]);
    const span = ranking.span;
    const before = spanBefore(span);
    const [places, total] = await Promise.all([
      this.#places(query, span, nowMs),
      this.#total(query, span, nowMs, RANKING_LIFE_MS),
    ]);
    const asked: Asked = {
      query,
      nowMs,
      span,
      before,
      places,
      rotatedUntilMs: rotated,
      seriesSpan: seriesSpanOf(nowMs, rotated),
    };
    const rows = await Promise.all(
      ranking.ranked.map(async (ranked, at) =>
        at >= visible.first && at < visible.first + visible.count
          ? this.#fullRow(asked, ranked, at)
          : bareRow(asked, ranked, at),
      ),
    );
    return {
      query,
      away: [...this.#away.values()],
      nowMs,
      span,
      before,
      rankedBefore: places?.span,
      exact: ranking.exact,
      totalViews: total,
      runningViews: running ?? 0,
      seriesSpan: asked.seriesSpan,
      rotatedUntilMs: rotated,
      rows,
    };
  }

  /** All that are there, or the one that holds what is filtered by. */
  #sourcesOf({ filter }: Pick<Query, "filter">): readonly Source[] {
    const there = this.sources.filter(({ partition }) => !this.#away.has(partition));
    return filter === undefined ? there : there.filter(({ partition }) => partition === filter.partition);
  }

  /**
   * Finds out which sources are away: the others are shown without them.
   *
   * @throws UnavailableError where nothing is left that could be shown
   */
  async #findAway({ filter }: Query): Promise<void> {
    this.#away.clear();
    const errors = await Promise.all(
      this.sources.map(async (source) => {
        try {
          await this.#rotatedOf(source);
        } catch (error) {
          if (!(error instanceof UnavailableError)) throw error;
          this.#away.set(source.partition, { partition: source.partition, reason: error.message });
          return error;
        }
      }),
    );
    if (this.#sourcesOf({ filter }).length === 0 && this.#away.size > 0)
      throw errors.find((error) => error !== undefined)!;
  }

  #rotatedOf(source: Source): Promise<number | null> {
    return this.#ask(source, "rotated", RANKING_LIFE_MS, () => source.rotatedUntil());
  }

  #ask<T>(source: Source, what: string, lifeMs: number, call: (functions: TrackerReads) => Promise<T>): Promise<T> {
    return this.#memo.get(`${source.partition ?? ""} ${what}`, lifeMs, () => this.#limit(() => call(source.functions)));
  }

  /** The rankings of all partitions as one; nothing where nothing is kept. */
  async #rank(query: Query, span: Span, nowMs: number, count: number): Promise<Ranking> {
    const { dimension } = query;
    const filter = filterArguments(query);
    const what = `rank ${dimension} ${span.fromMs} ${span.toMs} ${count} ${filter.website} ${filter.section}`;
    const args = { dimension, from: span.fromMs, to: span.toMs, count, now: nowMs, ...filter };
    const answers = await Promise.all(
      this.#sourcesOf(query).map(async (source) => ({
        source,
        answer: await this.#ask(source, what, RANKING_LIFE_MS, (functions) => functions.rankPg(args)),
      })),
    );
    const ranked = answers.flatMap(({ source, answer }) =>
      (answer?.ranking ?? []).map(([id, views]) => ({ source, id, views })),
    );
    const covered = answers.flatMap(({ answer }) => (answer === null ? [] : [answer]));
    return {
      span: {
        fromMs: Math.min(...(covered.length > 0 ? covered.map(({ from }) => from) : [span.fromMs])),
        toMs: Math.max(...(covered.length > 0 ? covered.map(({ to }) => to) : [span.toMs])),
      },
      exact: covered.every(({ exact }) => exact === 1),
      ranked: ranked.sort((a, b) => b.views - a.views || (a.id < b.id ? -1 : 1)).slice(0, count),
    };
  }

  /** Undefined where nothing is left of that span, or not the whole of it. */
  async #places(query: Query, span: Span, nowMs: number): Promise<Places | undefined> {
    const wanted = placesSpanOf(query.window, span);
    if (wanted === undefined) return undefined;
    const { span: covered, ranked } = await this.#rank(query, wanted, nowMs, PLACES_BEFORE);
    if (!isSameSpan(wanted, covered)) return undefined;
    return {
      span: covered,
      byKey: new Map(ranked.map((each, at) => [keyOf(each), { rank: at + 1, views: each.views }])),
    };
  }

  /** Page views of the filter, or of all websites; null where there are more than can be added up. */
  async #total(query: Query, span: Span, nowMs: number, lifeMs: number): Promise<number | null> {
    const { filter } = query;
    const args = { from: span.fromMs, to: span.toMs, now: nowMs };
    const views = await Promise.all(
      this.#sourcesOf(query).map((source) => {
        const what = `total ${filter?.sectionId ?? filter?.websiteId} ${span.fromMs} ${span.toMs}`;
        if (filter !== undefined) {
          const one =
            filter.sectionId === undefined
              ? { dimension: "W" as const, id: filter.websiteId }
              : { dimension: "S" as const, id: filter.sectionId };
          return this.#ask(
            source,
            what,
            lifeMs,
            async (functions) => (await functions.countPg({ ...one, ...args }))?.value ?? 0,
          );
        }
        return this.#ask(source, what, lifeMs, async (functions) => {
          const ranking = (await functions.rankPg({ dimension: "W", count: MAX_RANKED, ...args }))?.ranking ?? [];
          return ranking.length < MAX_RANKED ? sumOf(ranking) : null;
        });
      }),
    );
    return views.reduce<number | null>((sum, each) => (sum === null || each === null ? null : sum + each), 0);
  }

  /** End of what all partitions have made; null if one never did. */
  async #rotated(): Promise<number | null> {
    const ends = await Promise.all(this.#sourcesOf({}).map((source) => this.#rotatedOf(source)));
    return ends.reduce<number | null>(
      (least, end) => (least === null || end === null ? null : Math.min(least, end)),
      Infinity,
    );
  }

  async #fullRow(asked: Asked, ranked: Ranked, at: number): Promise<TopRow> {
    const [devices, viewsBefore, series, described] = await Promise.all([
      this.#devices(asked, ranked),
      this.#viewsBefore(asked, ranked),
      this.#points(asked, ranked, asked.seriesSpan),
      this.#describe(asked.query.dimension, ranked),
    ]);
    return {
      ...bareRow(asked, ranked, at),
      isRead: true,
      devices,
      viewsBefore,
      series: spread(series, asked.seriesSpan),
      ...described,
    };
  }

  #devices({ query: { dimension }, span, nowMs }: Asked, { source, id }: Ranked): Promise<number | null> {
    const args = { dimension, id, from: span.fromMs, to: span.toMs, now: nowMs };
    return this.#ask(
      source,
      `devices ${dimension} ${id} ${span.fromMs} ${span.toMs}`,
      FIGURES_LIFE_MS,
      async (functions) => (await functions.countUd(args))?.value ?? null,
    );
  }

  /** From windows where they cover exactly that, else from the series, which outlives them; null where neither can tell. */
  async #viewsBefore(asked: Asked, ranked: Ranked): Promise<number | null> {
    const { query, before, places, nowMs, rotatedUntilMs } = asked;
    const { source, id } = ranked;
    if (places !== undefined && isSameSpan(before, places.span)) {
      const known = places.byKey.get(keyOf(ranked));
      if (known !== undefined) return known.views;
      const args = { dimension: query.dimension, id, from: before.fromMs, to: before.toMs, now: nowMs };
      const what = `views ${query.dimension} ${id} ${before.fromMs} ${before.toMs}`;
      return this.#ask(
        source,
        what,
        FIGURES_LIFE_MS,
        async (functions) => (await functions.countPg(args))?.value ?? null,
      );
    }
    if (before.fromMs % POINT_MS !== 0 || before.toMs % POINT_MS !== 0) return null;
    if (rotatedUntilMs === null || rotatedUntilMs < before.toMs) return null;
    return sumOf(await this.#points(asked, ranked, before));
  }

  #points(
    { query: { dimension } }: Asked,
    { source, id }: Ranked,
    { fromMs, toMs }: Span,
  ): Promise<[number, number][]> {
    if (fromMs >= toMs) return Promise.resolve([]);
    const args = { dimension, id, tier: "5MINUTES" as const, from: fromMs, to: toMs };
    return this.#ask(source, `points ${dimension} ${id} ${fromMs} ${toMs}`, FIGURES_LIFE_MS, (functions) =>
      functions.rangePg(args),
    );
  }

  async #describe(dimension: Query["dimension"], { source, id }: Ranked): Promise<Named> {
    if (dimension !== "P" && dimension !== "S" && dimension !== "W")
      return { title: null, name: id, website: null, websiteId: null };
    const json = await this.#ask(source, `document ${dimension} ${id}`, DOCUMENT_LIFE_MS, (functions) =>
      functions.getDocument({ dimension, id, count: 1 }),
    );
    // Views outlive a document that was removed for lack of visits, if only just.
    if (json === null) return { title: null, name: id, website: null, websiteId: null };
    return describeDocument(dimension, JSON.parse(json) as Document);
  }
}

interface Asked extends Pick<TopData, "query" | "nowMs" | "span" | "before" | "rotatedUntilMs" | "seriesSpan"> {
  places: Places | undefined;
}

type Named = Pick<TopRow, "title" | "name" | "website" | "websiteId">;

interface Document {
  name?: string;
  url?: string;
  metadata?: { title: string | null };
  website?: { id: string; name: string };
}

/** What a record is called. */
export function describeDocument(
  dimension: "P" | "S" | "W",
  { name = "", url = "", metadata, website }: Document,
): Named {
  const site = { website: website?.name.toLowerCase() ?? null, websiteId: website?.id ?? null };
  if (dimension === "P") return { title: metadata?.title || null, name: url, ...site };
  return { title: null, name: dimension === "W" ? name.toLowerCase() : name, ...site };
}

/** The last windows that rotation has made. */
function seriesSpanOf(nowMs: number, rotatedUntilMs: number | null): Span {
  const toMs = Math.min(nowMs - (nowMs % POINT_MS), rotatedUntilMs ?? 0);
  return { fromMs: Math.max(0, toMs - POINTS * POINT_MS), toMs };
}

/** One value a window; what has no point had no views. */
function spread(points: readonly [number, number][], { fromMs, toMs }: Span): number[] {
  const values = new Array<number>(Math.max(0, (toMs - fromMs) / POINT_MS)).fill(0);
  for (const [windowMs, views] of points) values[(windowMs - fromMs) / POINT_MS] = views;
  return values;
}

function sumOf(pairs: readonly [unknown, number][]): number {
  return pairs.reduce((sum, [, views]) => sum + views, 0);
}

/** A row that is out of sight: what the ranking says of it. */
function bareRow({ places }: Asked, ranked: Ranked, at: number): TopRow {
  const { id, views, source } = ranked;
  const rankBefore = places && (places.byKey.get(keyOf(ranked))?.rank ?? null);
  const nameless = { title: null, name: id, website: null, websiteId: null };
  return {
    isRead: false,
    rank: at + 1,
    rankBefore,
    id,
    partition: source.partition,
    ...nameless,
    views,
    viewsBefore: null,
    devices: null,
    series: [],
  };
}
