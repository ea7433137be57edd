/*
 * find_documents: each filter by example, what applies to which dimension, both ends of paging and of LIMIT, and against a
 * plain filter over all documents while pages are visited, enriched and expired at random.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, event, MINUTE, NOON, sha1, useTracker } from "../support/tracker";
import type { Argument } from "../support/functions";

const tracker = useTracker();
const { record, call } = tracker;
const NOW = NOON + 10 * MINUTE;

beforeEach(() => tracker.server.flush());

const url = (id: string): string => `http://${id}`;
const visit = (page: string, seconds = 0): string => event(url(page), "d", NOON + seconds * 1000);
const track = (...events: string[]): Promise<unknown> => record("track_events", ...events, "NOW", NOW);
const enrich = (page: string, metadata: object): Promise<unknown> =>
  call("enrich_document", "P", sha1(page), JSON.stringify(metadata), "NOW", NOW);

type Found = [total: number | null, ...ids: string[]];
const find = async (dimension: string, ...options: Argument[]): Promise<Found> =>
  (await tracker.read("find_documents", dimension, ...options)) as Found;
/** What is found among pages, by address. */
const pages = (...addresses: string[]): Found => [addresses.length, ...addresses.map(sha1)];

describe("pages", () => {
  const A = "www.a.example/news/national/x/2024/1.html";
  const B = "www.a.example/news/europe/2.html";
  const C = "www.a.example/sport/3.html";
  const D = "b.example/news/national/4.html";
  const ROOT = "b.example/";

  beforeEach(async () => {
    await track(visit(A, 1), visit(B, 2), visit(C, 3), visit(D, 64), visit(ROOT, 65));
  });

  it.each<[Argument[], string[]]>([
    [[], [ROOT, D, C, B, A]],
    [
      ["WEBSITE", "a.example"],
      [C, B, A],
    ],
    [
      ["WEBSITE", "A.EXAMPLE"],
      [C, B, A],
    ],
    [
      ["WEBSITE", sha1("b.example").toUpperCase()],
      [ROOT, D],
    ],
    [["WEBSITE", "nobody"], []],
    [
      ["SECTION", "news/national"],
      [D, A],
    ],
    [["SECTION", "news/national", "WEBSITE", "a.example"], [A]],
    [["SECTION", "news"], []],
    [
      ["SECTION", "news*"],
      [D, B, A],
    ],
    [["SECTION", "news/*", "WEBSITE", "b.example"], [D]],
    [
      ["SECTION", "*"],
      [ROOT, D, C, B, A],
    ],
    [["SECTION", "/"], [ROOT]],
    [["SECTION", "zzz*"], []],
    [
      ["LEVEL", 0, "/"],
      [ROOT, D, C, B, A],
    ],
    [["LEVEL", 0, "news"], []],
    [
      ["LEVEL", 1, "news"],
      [D, B, A],
    ],
    [
      ["LEVEL", 2, "national"],
      [D, A],
    ],
    [["LEVEL", 2, "news"], []],
    [["LEVEL", 3, "x"], [A]],
    [["LEVEL", 4, "2024"], [A]],
    [["LEVEL", 4, "x"], []],
    [["LEVEL", 1, "news", "SECTION", "news/e*"], [B]],
    [
      ["URL", "www.a.example/"],
      [C, B, A],
    ],
    [
      ["URL", "https://WWW.a.example/news/*"],
      [B, A],
    ],
    [["URL", "www.a.example/News"], []],
    [
      ["URL", "b.example"],
      [ROOT, D],
    ],
    [["URL", "b.example/", "LEVEL", 1, "news"], [D]],
    [
      ["VISITED", NOON + 2000, NOON + 64_000],
      [C, B],
    ],
    [["VISITED", NOON + 64_000, NOON + 64_001], [D]],
    [["VISITED", 0, 1], []],
    [["VISITED", NOON + 2000, NOON + 64_000, "SECTION", "news*"], [B]],
    [["VISITED", NOON + 2000, NOON + 64_000, "URL", "www.a.example/news"], [B]],
    [["WEBSITE", "a.example", "URL", "b.example"], []],
  ])("%j", async (options, expected) => {
    expect(await find("P", ...options)).toEqual(pages(...expected));
  });

  it("by words of their titles, all that are asked for, folded", async () => {
    await enrich(A, { title: "Grève à l’Élysée: Straße gesperrt" });
    await enrich(D, { title: "ΟΔΥΣΣΕΎΣ и Ёлка, greve!" });
    expect(await find("P", "TITLE", "GREVE")).toEqual(pages(D, A));
    expect(await find("P", "TITLE", "elysee")).toEqual(pages(A));
    expect(await find("P", "TITLE", "STRASSE, grève")).toEqual(pages(A));
    expect(await find("P", "TITLE", "οδυσσευς елка")).toEqual(pages(D));
    expect(await find("P", "TITLE", "grev")).toEqual(pages());
    expect(await find("P", "TITLE", "grève", "LEVEL", 1, "news", "WEBSITE", "a.example")).toEqual(pages(A));
    expect(await find("P", "TITLE", "grève", "LEVEL", 3, "x")).toEqual(pages(A));
    expect(await find("P", "TITLE", "grève", "VISITED", NOON, NOON + MINUTE)).toEqual(pages(A));
    expect(await find("P", "TITLE", "grève", "VISITED", NOON + 1000, NOON + 64_000)).toEqual(pages(A));
    expect(await find("P", "TITLE", "grève", "VISITED", NOON + 1001, NOON + 64_001)).toEqual(pages(D));
    await enrich(A, { title: "Nothing of the kind" });
    expect(await find("P", "TITLE", "greve")).toEqual(pages(D));
    expect(await find("P", "TITLE", "kind")).toEqual(pages(A));
    await enrich(A, {});
    expect(await find("P", "TITLE", "kind")).toEqual(pages());
  });

  it("in the order of their last visits, whatever the way they are found by", async () => {
    await record("track_events", visit(A, 300), "NOW", NOW);
    expect(await find("P")).toEqual(pages(A, ROOT, D, C, B));
    expect(await find("P", "LEVEL", 1, "news")).toEqual(pages(A, D, B));
    expect(await find("P", "URL", "www.a.example/")).toEqual(pages(A, C, B));
  });

  it("under the website that the table of hosts gives them to, and no other", async () => {
    await call("configure_tracker", "HOSTS", '{"b.example":"bee"}');
    await record("track_events", visit(D, 300), "NOW", NOW);
    expect(await find("P", "WEBSITE", "bee")).toEqual(pages(D));
    expect(await find("P", "WEBSITE", "b.example")).toEqual(pages(ROOT));
    expect(await find("P", "SECTION", "news/national")).toEqual(pages(D, A));
    expect(await find("P", "SECTION", "news/national", "WEBSITE", "b.example")).toEqual(pages());
    expect(await find("P", "LEVEL", 1, "news")).toEqual(pages(D, B, A));
  });

  it("in a partition, those of the partition", async () => {
    await tracker.routed(["{b}"], "track_events", visit(D), "NOW", NOW);
    expect(await tracker.routed(["{b}"], "find_documents", "P", "LEVEL", "1", "news")).toEqual(pages(D));
    expect(await tracker.routed(["{c}"], "find_documents", "P")).toEqual([0]);
    expect((await find("P"))[0]).toBe(5);
  });
});

describe("sections and websites", () => {
  const section = (...names: string[]): Found => [names.length, ...names.map(sha1)];

  beforeEach(async () => {
    await track(
      visit("a.example/news/national/1", 1),
      visit("a.example/news/europe/1", 2),
      visit("b.example/news/national/1", 63),
      visit("b.example/", 64),
    );
  });

  it.each<[Argument[], string[]]>([
    [[], ["b.example//", "b.example/news/national", "a.example/news/europe", "a.example/news/national"]],
    [
      ["WEBSITE", "a.example"],
      ["a.example/news/europe", "a.example/news/national"],
    ],
    [
      ["SECTION", "news/national"],
      ["b.example/news/national", "a.example/news/national"],
    ],
    [["SECTION", "news/e*"], ["a.example/news/europe"]],
    [["LEVEL", 2, "national", "WEBSITE", "b.example"], ["b.example/news/national"]],
    [
      ["LEVEL", 1, "news", "VISITED", NOON, NOON + MINUTE],
      ["a.example/news/europe", "a.example/news/national"],
    ],
    [
      ["LEVEL", 0, "/", "WEBSITE", "b.example"],
      ["b.example//", "b.example/news/national"],
    ],
    [["LEVEL", 3, "x"], []],
  ])("S %j", async (options, expected) => {
    expect(await find("S", ...options)).toEqual(section(...expected));
  });

  it.each<[Argument[], string[]]>([
    [[], ["b.example", "a.example"]],
    [["WEBSITE", "a.example"], ["a.example"]],
    [["WEBSITE", "c.example"], []],
    [["VISITED", NOON, NOON + MINUTE], ["a.example"]],
    [["WEBSITE", "b.example", "VISITED", NOON, NOON + MINUTE], []],
  ])("W %j", async (options, expected) => {
    expect(await find("W", ...options)).toEqual(section(...expected));
  });
});

describe("refusals", () => {
  it.each<[string, Argument[], string]>([
    ["W", ["SECTION", "x"], "BADARG SECTION is no filter for W"],
    ["W", ["LEVEL", 1, "x"], "BADARG LEVEL is no filter for W"],
    ["W", ["URL", "x"], "BADARG URL is no filter for W"],
    ["W", ["TITLE", "x"], "BADARG TITLE is no filter for W"],
    ["S", ["URL", "x"], "BADARG URL is no filter for S"],
    ["S", ["TITLE", "x"], "BADARG TITLE is no filter for S"],
    ["P", ["TITLE", " — !"], "BADARG TITLE must hold a word, got ' — !'"],
    ["P", ["VISITED", 5, 5], "BADARG VISITED from must be before to, got 5 and 5"],
    ["P", ["VISITED", 5], "BADARG VISITED has no value for to; it must be a unix time in milliseconds"],
    ["P", ["LEVEL", 5, "x"], "BADARG LEVEL n must be an integer from 0 to 4, got '5'"],
    ["P", ["LEVEL", 1, ""], "BADARG LEVEL value must be text of 1 to 2048 bytes, got ''"],
  ])("%s %j", async (dimension, options, message) => {
    expect(await tracker.refusal("find_documents", dimension, ...options)).toBe(message);
  });

  it("the pages of too many sections", async () => {
    await track(...Array.from({ length: 201 }, (_, at) => visit(`a.example/n${at}/x`)));
    expect(await tracker.refusal("find_documents", "P", "SECTION", "n*")).toMatch(
      /^LIMIT .* 201 sections, at most 200 /,
    );
    expect((await find("P", "SECTION", "n1*"))[0]).toBe(111);
    await track(visit("b.example/n1/x"));
    expect(await find("P", "SECTION", "n*", "WEBSITE", "b.example")).toEqual(pages("b.example/n1/x"));
    expect((await find("S", "SECTION", "n*"))[0]).toBe(202);
  });
});

describe("paging and LIMIT", () => {
  const SIZE = 50;
  const page = (at: number): string => `a.example/${at % 2 ? "odd" : "even"}/s/l${at % 5}/${at}`;
  const all = Array.from({ length: SIZE }, (_, at) => page(SIZE - 1 - at));

  beforeEach(async () => {
    await track(...Array.from({ length: SIZE }, (_, at) => visit(page(at), at)));
    for (const address of all) await enrich(address, { title: address.includes("odd") ? "odd one" : "even one" });
  });

  it.each<Argument[]>([
    [],
    ["LEVEL", 2, "s"],
    ["LEVEL", 1, "odd"],
    ["LEVEL", 3, "l3"],
    ["TITLE", "one"],
    ["URL", "a.example/even"],
    ["TITLE", "odd", "LEVEL", 3, "l1"],
  ])("pages of any size are parts of the whole: %j %j %j", async (...options) => {
    const [total, ...whole] = await find("P", ...options);
    expect(whole).toHaveLength(total as number);
    for (const count of [1, 7, 10_000]) {
      const parts: string[] = [];
      for (let offset = 0; offset <= whole.length; offset += count) {
        const [again, ...ids] = await find("P", ...options, "OFFSET", offset, "COUNT", count);
        expect(again).toBe(total);
        parts.push(...ids);
      }
      expect(parts).toEqual(whole);
    }
  });

  it("lists without a condition know their total, whatever LIMIT", async () => {
    expect(await find("P", "LIMIT", 1, "COUNT", 2)).toEqual([SIZE, ...all.slice(0, 2).map(sha1)]);
    expect(await find("P", "LIMIT", 1, "COUNT", 2, "OFFSET", 40)).toEqual([SIZE, ...all.slice(40, 42).map(sha1)]);
    expect((await find("P", "LIMIT", 1, "LEVEL", 2, "s"))[0]).toBe(SIZE);
  });

  it("a total that is not known is nil, and the ids are those of the most recently visited", async () => {
    const odd = all.filter((address) => address.includes("odd"));
    // Two of those that the server intersects count for one.
    expect(await find("P", "TITLE", "odd one", "LIMIT", 12)).toEqual([null, ...odd.slice(0, 6).map(sha1)]);
    expect(await find("P", "TITLE", "odd one", "LIMIT", 13)).toEqual(pages(...odd));
    expect(await find("P", "TITLE", "odd one", "LIMIT", 12, "COUNT", 3)).toEqual([null, ...odd.slice(0, 3).map(sha1)]);
    expect(await find("P", "TITLE", "odd", "LEVEL", 1, "even", "LIMIT", 24)).toEqual([null]);
    expect(await find("P", "TITLE", "odd", "LEVEL", 1, "even", "LIMIT", 25)).toEqual([0]);
    // In a stretch of time with few enough, the answer is whole.
    expect(await find("P", "TITLE", "odd one", "VISITED", NOON, NOON + 20_000, "LIMIT", 20)).toEqual(
      pages(...odd.slice(-10)),
    );
  });

  it("a filter alone knows its total though it is too broad to look at all of it", async () => {
    expect(await find("P", "TITLE", "one", "LIMIT", 10, "COUNT", 5)).toEqual([SIZE, ...all.slice(0, 5).map(sha1)]);
    expect(await find("P", "TITLE", "one", "LIMIT", 10, "COUNT", 11)).toEqual([null, ...all.slice(0, 10).map(sha1)]);
  });

  it("equal last visits come in the reverse order of ids, whatever the way", async () => {
    await tracker.server.flush();
    const same = Array.from({ length: 9 }, (_, at) => `a.example/t${at % 3}/s/l/${at}`);
    await track(...same.map((address) => visit(address)));
    for (const address of same) await enrich(address, { title: "word" });
    const expected = [9, ...same.map(sha1).sort().reverse()];
    for (const options of [
      [],
      ["WEBSITE", "a.example"],
      ["LEVEL", 2, "s"],
      ["TITLE", "word"],
      ["LEVEL", 3, "l"],
      ["URL", "a.example/"],
    ]) {
      expect(await find("P", ...options), options.join(" ")).toEqual(expected);
    }
  });
});

describe("against a plain filter over all documents", () => {
  const HOSTS = ["a.example", "www.b.example"];
  const DIRECTORIES = [
    "",
    "news/",
    "news/national/",
    "news/national/x/",
    "news/x/national/2024/",
    "sport/x/",
    "newsletter/",
  ];
  const WORDS = ["Grève", "Straße", "Élection", "the"];
  const addresses = HOSTS.flatMap((host) =>
    DIRECTORIES.flatMap((directory) => [1, 2, 3].map((page) => `${host}/${directory}${page}.html`)),
  );
  const address = fc.constantFrom(...addresses);
  const title = fc.subarray(WORDS).map((some) => some.join(" – "));

  interface Page {
    lastMs: number;
    title: string;
  }
  type Step = { visit: string; minute: number } | { enrich: string; title: string } | { expire: number; pass: number };
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ visit: address, minute: fc.integer({ min: 0, max: 6 }) }) },
    { weight: 2, arbitrary: fc.record({ enrich: address, title }) },
    {
      weight: 1,
      arbitrary: fc.record({ expire: fc.integer({ min: 1, max: 5 }), pass: fc.integer({ min: 0, max: 9 }) }),
    },
  );

  interface Filters {
    website?: string | undefined;
    section?: string | undefined;
    level?: [number, string] | undefined;
    url?: string | undefined;
    title?: string | undefined;
    sinceMinutes?: number | undefined;
  }
  const optional = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(values, { nil: undefined, freq: 2 });
  const filters: fc.Arbitrary<Filters> = fc.record({
    website: optional(fc.constantFrom("a.example", "b.example", "c.example")),
    section: optional(fc.constantFrom("/", "news", "news*", "news/national", "news/*", "sport/x")),
    level: optional(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom("/", "news", "national", "x", "2024"))),
    url: optional(fc.constantFrom("a.example/", "www.b.example/news", "www.b.example/news/national/")),
    title: optional(fc.constantFrom("greve", "strasse", "the election")),
    sinceMinutes: optional(fc.integer({ min: 0, max: 20_000 })),
  });

  const websiteOf = (page: string): string => page.split("/")[0]!.replace(/^www\./, "");
  const levelsOf = (page: string): string[] => page.split("/").slice(1, -1);
  const sectionOf = (page: string): string => levelsOf(page).slice(0, 2).join("/") || "/";
  const folded = (text: string): string[] =>
    text
      .toLowerCase()
      .replace("ß", "ss")
      .normalize("NFD")
      .replace(/\p{M}/gu, "")
      .split(/\P{L}+/u);

  function matches(
    name: string,
    page: Page,
    { website, section, level, url: prefix, title: wanted, sinceMinutes }: Filters,
    nowMs: number,
  ): boolean {
    const isLevel = ([n, value]: [number, string]): boolean =>
      n === 0 ? value === "/" : levelsOf(name)[n - 1] === value;
    const isSection = (given: string): boolean =>
      given.endsWith("*") ? sectionOf(name).startsWith(given.slice(0, -1)) : sectionOf(name) === given;
    return (
      (website === undefined || websiteOf(name) === website) &&
      (section === undefined || isSection(section)) &&
      (level === undefined || isLevel(level)) &&
      (prefix === undefined || name.startsWith(prefix)) &&
      (wanted === undefined || wanted.split(" ").every((word) => folded(page.title).includes(word))) &&
      (sinceMinutes === undefined || page.lastMs >= nowMs - sinceMinutes * MINUTE)
    );
  }

  function optionsOf(
    { website, section, level, url: prefix, title: wanted, sinceMinutes }: Filters,
    nowMs: number,
  ): Argument[] {
    const visited = sinceMinutes === undefined ? undefined : [nowMs - sinceMinutes * MINUTE, nowMs + DAY];
    const given = { WEBSITE: website, SECTION: section, LEVEL: level, URL: prefix, TITLE: wanted, VISITED: visited };
    return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name, ...[value].flat()]));
  }

  it("finds the same, in the same order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.array(filters, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 60 }),
        async (steps, queries, limit) => {
          await tracker.server.flush();
          await call("configure_tracker", "DOCUMENT_DAYS", 8);
          const known = new Map<string, Page>();
          let nowMs = NOON;
          for (const each of steps) {
            if ("visit" in each) {
              // Minutes apart, so that each visit is the first of its minute; some come late.
              nowMs += each.minute * MINUTE + MINUTE;
              const timeMs = nowMs - (each.minute % 3) * 10 * MINUTE;
              await record("track_events", event(url(each.visit), "d", timeMs), "NOW", nowMs);
              const before = known.get(each.visit);
              known.set(each.visit, { title: before?.title ?? "", lastMs: Math.max(timeMs, before?.lastMs ?? 0) });
            } else if ("enrich" in each) {
              const page = known.get(each.enrich);
              const refused = await tracker.refusal(
                "enrich_document",
                "P",
                sha1(each.enrich),
                JSON.stringify({ title: each.title }),
                "NOW",
                nowMs,
              );
              expect(refused === undefined).toBe(page !== undefined);
              if (page) page.title = each.title;
            } else {
              nowMs += each.pass * DAY;
              const due = [...known]
                .filter(([, { lastMs }]) => lastMs < nowMs - 8 * DAY)
                .sort(([a, one], [b, other]) => one.lastMs - other.lastMs || (sha1(a) < sha1(b) ? -1 : 1));
              await record("expire_documents", "LIMIT", each.expire, "NOW", nowMs);
              for (const [name] of due.slice(0, each.expire)) known.delete(name);
            }
          }
          for (const query of queries) {
            const expected = [...known]
              .filter(([name, page]) => matches(name, page, query, nowMs))
              .map(([name, { lastMs }]) => ({ id: sha1(name), lastMs }))
              .sort((a, b) => b.lastMs - a.lastMs || (a.id < b.id ? 1 : -1))
              .map(({ id }) => id);
            const options = optionsOf(query, nowMs);
            expect(await find("P", ...options), options.join(" ")).toEqual([expected.length, ...expected]);
            const [total, ...ids] = await find("P", ...options, "LIMIT", limit, "OFFSET", 1, "COUNT", 3);
            if (total !== null)
              expect([total, ...ids], options.join(" ")).toEqual([expected.length, ...expected.slice(1, 4)]);
            else expect(expected.slice(1, 4).slice(0, ids.length), options.join(" ")).toEqual(ids);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a title of many words", () => {
  const words = Array.from({ length: 40 }, (_, at) => `w${at}`);
  const addresses = Array.from({ length: 300 }, (_, at) => `a.example/s/${at}.html`);

  it("counts each record for more, and finds the same", async () => {
    await track(...addresses.map((each, at) => visit(each, at)));
    for (const each of addresses) await enrich(each, { title: words.join(" ") });
    const newest = addresses.map(sha1).reverse();
    const all = words.join(" ");
    expect(await find("P", "TITLE", all, "COUNT", 1000, "LIMIT", 1500)).toEqual([300, ...newest]);
    // 40 words are ten times four: of 1,000 records a hundred are left, of which two that have all words count for one.
    const [total, ...ids] = await find("P", "TITLE", all, "COUNT", 1000, "LIMIT", 1000);
    expect(total).toBeNull();
    expect(ids).toEqual(newest.slice(0, ids.length));
    expect(ids.length).toBeGreaterThan(0);
    expect(await find("P", "TITLE", words.slice(0, 4).join(" "), "COUNT", 1000, "LIMIT", 150)).toEqual([
      300,
      ...newest,
    ]);
  });
});
