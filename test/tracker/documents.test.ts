/* get_document: the shapes of the contract, what is listed in which order, and what a last visit is. */
import { beforeEach, describe, expect, it } from "vitest";
import { event, HOUR, MINUTE, NOON, sha1, useTracker } from "../support/tracker";
import type { Fields } from "../support/functions";

const tracker = useTracker();
const { record, call } = tracker;
const NOW = NOON + 4 * MINUTE;

beforeEach(() => tracker.server.flush());

const track = (...events: (string | Buffer)[]): Promise<Fields> => record("track_events", ...events, "NOW", NOW);

/** One event: an address and seconds after noon. */
const visit = (url: string, seconds = 0): string => event(url, "device", NOON + seconds * 1000);

const documentText = async (dimension: string, id: string, ...options: (string | number)[]): Promise<string> =>
  (await tracker.read("get_document", dimension, id, ...options)) as string;

async function documentOf(dimension: string, id: string, ...options: (string | number)[]): Promise<Fields> {
  return JSON.parse(await documentText(dimension, id, ...options)) as Fields;
}

const ARTICLE = "http://www.rtl.lu/meenung/carte-blanche/a/1874304.html";
const SITE = sha1("rtl.lu");
const SECTION = sha1("rtl.lu/meenung/carte-blanche");
const PAGE = sha1("www.rtl.lu/meenung/carte-blanche/a/1874304.html");

describe("shapes", () => {
  const at = NOON + 1000;

  beforeEach(() => track(visit(ARTICLE, 1)));

  it("of a website", async () => {
    expect(await documentText("W", SITE)).toBe(
      `{"id":"${SITE}","name":"RTL.LU","last_visited":${at},` +
        `"sections":[{"id":"${SECTION}","name":"meenung/carte-blanche","last_visited":${at}}],` +
        `"pages":[{"id":"${PAGE}","url":"www.rtl.lu/meenung/carte-blanche/a/1874304.html","article_id":1874304,"last_visited":${at}}]}`,
    );
  });

  it("of a section", async () => {
    expect(await documentText("S", SECTION)).toBe(
      `{"id":"${SECTION}","name":"meenung/carte-blanche",` +
        `"levels":{"level_0":"/","level_1":"meenung","level_2":"carte-blanche","level_3":"","level_4":""},` +
        `"last_visited":${at},"website":{"id":"${SITE}","name":"RTL.LU"},` +
        `"pages":[{"id":"${PAGE}","url":"www.rtl.lu/meenung/carte-blanche/a/1874304.html","article_id":1874304,"last_visited":${at}}]}`,
    );
  });

  it("of a page", async () => {
    expect(await documentText("P", PAGE)).toBe(
      `{"id":"${PAGE}","url":"www.rtl.lu/meenung/carte-blanche/a/1874304.html","article_id":1874304,"last_visited":${at},` +
        `"metadata":{"title":null,"kicker":null,"display_date":null},"website":{"id":"${SITE}","name":"RTL.LU"},` +
        `"section":{"id":"${SECTION}","name":"meenung/carte-blanche",` +
        `"levels":{"level_0":"/","level_1":"meenung","level_2":"carte-blanche","level_3":"a","level_4":""}}}`,
    );
  });

  it("are nil for ids that nobody knows, and for ids of another dimension", async () => {
    for (const dimension of ["W", "S", "P"]) {
      expect(await call("get_document", dimension, sha1("nobody"))).toBeNull();
      expect(await tracker.read("get_document", dimension, sha1("nobody"), "COUNT", 1)).toBeNull();
    }
    expect([
      await call("get_document", "W", PAGE),
      await call("get_document", "S", SITE),
      await call("get_document", "P", SECTION),
    ]).toEqual([null, null, null]);
  });

  it("are found by ids in any case", async () => {
    expect(await documentText("P", PAGE.toUpperCase())).toBe(await documentText("p", PAGE));
  });

  it("arrays are arrays where nothing is in them", async () => {
    await tracker.client.sendCommand([
      "DEL",
      `SS:SECTIONS:W:${SITE}::`,
      `SS:PAGES:W:${SITE}::`,
      `SS:PAGES:S:${SECTION}::`,
    ]);
    expect(await documentOf("W", SITE)).toMatchObject({ sections: [], pages: [] });
    expect(await documentOf("S", SECTION)).toMatchObject({ pages: [] });
  });
});

describe("levels", () => {
  const LEVELS: [path: string, section: string, own: string[], ofPage: string[]][] = [
    ["/", "/", ["", "", "", ""], ["", "", "", ""]],
    ["/1972529.html", "/", ["", "", "", ""], ["", "", "", ""]],
    ["/news/national", "news", ["news", "", "", ""], ["news", "", "", ""]],
    ["/news/national/x", "news/national", ["news", "national", "", ""], ["news", "national", "", ""]],
    ["/a/b/c/d/e/f.html", "a/b", ["a", "b", "", ""], ["a", "b", "c", "d"]],
    ["/caf%C3%A9/%41/b%2Fc/x", "café/A", ["café", "A", "", ""], ["café", "A", "b/c", ""]],
    ["/%zz/%ff/x", "%zz/%ff", ["%zz", "%ff", "", ""], ["%zz", "%ff", "", ""]],
  ];
  const levels = ([one, two, three, four]: string[]): Fields => ({
    level_0: "/",
    level_1: one,
    level_2: two,
    level_3: three,
    level_4: four,
  });

  it.each(LEVELS)("%s", async (path, section, own, ofPage) => {
    await track(visit(`http://a.example${path}`));
    expect(await documentOf("S", sha1(`a.example/${section}`))).toMatchObject({
      name: section,
      levels: levels(own),
      website: { id: sha1("a.example"), name: "A.EXAMPLE" },
    });
    expect(await documentOf("P", sha1(`a.example${path}`))).toMatchObject({
      url: `a.example${path}`,
      section: { id: sha1(`a.example/${section}`), name: section, levels: levels(ofPage) },
    });
  });
});

describe("article_id", () => {
  it.each([
    ["/a/1874304.html", 1_874_304],
    ["/1972529", 1_972_529],
    ["/a/5.tar.gz", 5],
    ["/a/0", 0],
    ["/a/007.html", 7],
    ["/a/000", 0],
    ["/a/12a.html", null],
    ["/a/", null],
    ["/", null],
    ["/123/", null],
  ])("%s: %s", async (path, article) => {
    await track(visit(`http://a.example${path}`));
    const { article_id: own } = await documentOf("P", sha1(`a.example${path}`));
    const { pages } = await documentOf("W", sha1("a.example"));
    expect([own, (pages as Fields[])[0]!["article_id"]]).toEqual([article, article]);
  });
});

describe("names", () => {
  const PATH = '/q%22uo"te/b\\ack%5C/%0A%09%00/😀%F0%9F%98%80/é%C3%A9.html';
  const page = `a.example${PATH}`;

  it("keep quotes, backslashes, control characters, slashes and every script", async () => {
    await call("configure_tracker", "HOSTS", JSON.stringify({ "a.example": 'the "site" /日本\\' }));
    await track(visit(`http://a.example${PATH}`));
    const site = 'the "site" /日本\\';
    const section = 'q"uo"te/b\\ack\\';
    const upper = 'THE "SITE" /日本\\';
    const website = await documentText("W", sha1(site));
    expect(JSON.parse(website)).toMatchObject({
      name: upper,
      sections: [{ id: sha1(`${site}/${section}`), name: section }],
      pages: [{ id: sha1(page), url: page }],
    });
    expect(website).not.toContain("\\/");
    expect(await documentOf("S", sha1(`${site}/${section}`))).toMatchObject({
      name: section,
      website: { name: upper },
    });
    expect(await documentOf("P", sha1(page))).toMatchObject({
      url: page,
      website: { name: upper },
      section: {
        name: section,
        levels: { level_1: 'q"uo"te', level_2: "b\\ack\\", level_3: "\n\t\0", level_4: "😀😀" },
      },
    });
  });

  it("are UTF-8 whatever bytes an address had: a document is JSON", async () => {
    const bytes = Buffer.from("http://a.example/s\xff/\xe9.html", "latin1");
    await track(
      Buffer.concat([Buffer.from('{"url":"'), bytes, Buffer.from(`","uui":"d","dt":${NOON}}`)]),
      visit("http://a.example/x"),
    );
    const { sections, pages } = await documentOf("W", sha1("a.example"));
    // The client reads what is no UTF-8 as U+FFFD.
    expect(JSON.stringify([sections, pages])).not.toContain("\ufffd");
  });

  it("a website's is upper case, and what its id is made of lower case", async () => {
    await call("configure_tracker", "HOSTS", '{"a.example":"MiXed"}');
    await track(visit("http://a.example/x"));
    expect(await documentOf("W", sha1("mixed"))).toMatchObject({ name: "MIXED" });
    expect(await documentOf("P", sha1("a.example/x"))).toMatchObject({ website: { id: sha1("mixed"), name: "MIXED" } });
  });
});

describe("last visits", () => {
  const lastVisits = async (): Promise<unknown[]> => {
    const [website, section, page] = [
      await documentOf("W", SITE),
      await documentOf("S", SECTION),
      await documentOf("P", PAGE),
    ];
    const listed = [website["sections"], website["pages"], section["pages"]].map(
      (list) => (list as Fields[]).find(({ id }) => id === PAGE || id === SECTION)!["last_visited"],
    );
    return [website["last_visited"], section["last_visited"], page["last_visited"], ...listed];
  };
  const everywhere = (seconds: number): number[] => Array.from({ length: 6 }, () => NOON + seconds * 1000);

  it("are the first event of the last minute that saw one, the same wherever they are shown", async () => {
    await track(visit(ARTICLE, 5));
    expect(await lastVisits()).toEqual(everywhere(5));
    await track(visit(ARTICLE, 50), visit(ARTICLE, 59));
    expect(await lastVisits()).toEqual(everywhere(5));
    await track(visit(ARTICLE, 63), visit(ARTICLE, 119));
    expect(await lastVisits()).toEqual(everywhere(63));
    await track(visit(ARTICLE, 150));
    expect(await lastVisits()).toEqual(everywhere(150));
  });

  it("never go back: events of an earlier minute, in the same batch, after it, or late", async () => {
    await track(visit(ARTICLE, 130), visit(ARTICLE, 10));
    expect(await lastVisits()).toEqual(everywhere(130));
    await track(visit(ARTICLE, 70));
    expect(await lastVisits()).toEqual(everywhere(130));
    await tracker.drain("rotate_pg", "NOW", NOON + HOUR);
    await record("track_events", visit(ARTICLE, 20), visit(ARTICLE, -600), "NOW", NOON + HOUR);
    expect(await lastVisits()).toEqual(everywhere(130));
    await record("track_events", visit(ARTICLE, 200), "NOW", NOON + HOUR);
    expect(await lastVisits()).toEqual(everywhere(200));
  });

  it("of a website are those of its pages, of a section those of its own", async () => {
    await track(visit(ARTICLE, 0), visit("http://rtl.lu/sport/x", 61), visit("http://b.example/y", 122));
    expect(await documentOf("W", SITE)).toMatchObject({
      last_visited: NOON + 61_000,
      sections: [
        { name: "sport", last_visited: NOON + 61_000 },
        { id: SECTION, last_visited: NOON },
      ],
      pages: [
        { url: "rtl.lu/sport/x", last_visited: NOON + 61_000 },
        { id: PAGE, last_visited: NOON },
      ],
    });
    expect(await documentOf("S", SECTION)).toMatchObject({ last_visited: NOON, pages: [{ id: PAGE }] });
  });

  it("media visit the page that plays them, and have no document", async () => {
    await track(event(ARTICLE, "d", NOON, { audio: "song" }));
    expect(await lastVisits()).toEqual(everywhere(0));
    expect(await call("get_document", "P", sha1("rtl.lu/song"))).toBeNull();
  });
});

describe("lists", () => {
  /** A site with 150 pages in 150 sections, each a second later than the one before. */
  const many = (): Promise<Fields> =>
    track(...Array.from({ length: 150 }, (_, at) => visit(`http://a.example/s${at}/x`, at)));
  const names = (found: Fields, list: string, field: string): unknown[] =>
    (found[list] as Fields[]).map((each) => each[field]);
  const recent = (count: number, path: (at: number) => string): string[] =>
    Array.from({ length: count }, (_, at) => path(149 - at));

  it("hold the hundred most recently visited, most recent first", async () => {
    await many();
    const found = await documentOf("W", sha1("a.example"));
    expect(names(found, "sections", "name")).toEqual(recent(100, (at) => `s${at}`));
    expect(names(found, "pages", "url")).toEqual(recent(100, (at) => `a.example/s${at}/x`));
  });

  it.each([1, 2, 149, 150, 151, 1000])("COUNT %d", async (count) => {
    await many();
    const found = await documentOf("W", sha1("a.example"), "COUNT", count);
    expect(names(found, "sections", "name")).toEqual(recent(Math.min(count, 150), (at) => `s${at}`));
    expect(names(found, "pages", "url")).toEqual(recent(Math.min(count, 150), (at) => `a.example/s${at}/x`));
  });

  it("COUNT of a section's pages", async () => {
    await track(...Array.from({ length: 5 }, (_, at) => visit(`http://a.example/s/${at}`, at)));
    expect(names(await documentOf("S", sha1("a.example/s"), "COUNT", 2), "pages", "url")).toEqual([
      "a.example/s/4",
      "a.example/s/3",
    ]);
    expect(names(await documentOf("S", sha1("a.example/s")), "pages", "url")).toHaveLength(5);
  });

  it("a visit puts what was long unvisited in front", async () => {
    await many();
    await track(visit("http://a.example/s3/x", 200));
    const { sections, pages } = await documentOf("W", sha1("a.example"), "COUNT", 2);
    expect((sections as Fields[]).map(({ name }) => name)).toEqual(["s3", "s149"]);
    expect((pages as Fields[]).map(({ url }) => url)).toEqual(["a.example/s3/x", "a.example/s149/x"]);
  });

  it("keep websites and sections apart", async () => {
    await track(visit("http://a.example/s/1"), visit("http://a.example/t/2"), visit("http://b.example/s/3"));
    expect(names(await documentOf("W", sha1("b.example")), "pages", "url")).toEqual(["b.example/s/3"]);
    expect(names(await documentOf("S", sha1("a.example/s")), "pages", "url")).toEqual(["a.example/s/1"]);
    expect(names(await documentOf("S", sha1("b.example/s")), "pages", "url")).toEqual(["b.example/s/3"]);
  });
});

describe("how many there are", () => {
  const counts = async (): Promise<unknown[]> => {
    const { websites, sections, pages } = await record("get_tracker_status", "NOW", NOW);
    return [websites, sections, pages];
  };

  it("is told by get_tracker_status, each document once", async () => {
    expect(await counts()).toEqual([0, 0, 0]);
    await track(visit("http://a.example/s/1"), visit("http://a.example/s/1?x", 70), visit("http://a.example/s/2"));
    expect(await counts()).toEqual([1, 1, 2]);
    await track(visit("http://a.example/s/1", 100), visit("http://a.example/t/1"), visit("http://b.example/s/1"));
    expect(await counts()).toEqual([2, 3, 4]);
    await tracker.drain("rotate_pg", "NOW", NOON + 3 * HOUR);
    await record("track_events", visit("http://a.example/s/1", 130), "NOW", NOON + 3 * HOUR);
    expect(await counts()).toEqual([2, 3, 4]);
  });

  it("does not count what was refused", async () => {
    await track("{", event("/relative", "d", NOON));
    expect(await counts()).toEqual([0, 0, 0]);
  });

  it("a page that a new table of hosts gives to another website is the same page, in its new place", async () => {
    await track(visit(ARTICLE));
    await call("configure_tracker", "HOSTS", '{"www.rtl.lu":"rtl"}');
    await track(visit(ARTICLE, 70));
    expect(await counts()).toEqual([2, 2, 1]);
    const moved = {
      website: { id: sha1("rtl"), name: "RTL" },
      section: { id: sha1("rtl/meenung/carte-blanche") },
      last_visited: NOON + 70_000,
    };
    expect(await documentOf("P", PAGE)).toMatchObject(moved);
    expect(await documentOf("W", sha1("rtl"))).toMatchObject({ pages: [{ id: PAGE }] });
  });

  it("the same in the minute in which the table was changed", async () => {
    await track(visit(ARTICLE));
    await call("configure_tracker", "HOSTS", '{"www.rtl.lu":"rtl"}');
    await track(visit(ARTICLE, 10));
    expect(await counts()).toEqual([2, 2, 1]);
    expect(await documentOf("P", PAGE)).toMatchObject({ website: { name: "RTL" } });
  });

  it.each([
    ["one by one", '{"www.rtl.lu":"rtl"}', "host", false],
    ["in a batch", '{"www.rtl.lu":"rtl"}', "host", true],
    ["one by one, by the option for unknown hosts", "{}", "other", false],
    ["in a batch, by the option for unknown hosts", "{}", "other", true],
  ])("moves to a website that was visited in the same minute, and back: %s", async (_how, table, unknown, isBatch) => {
    const name = unknown === "other" ? "other" : "rtl";
    const send = async (...events: string[]): Promise<void> => {
      for (const each of isBatch ? [events] : events.map((one) => [one])) await track(...each);
    };
    const pagesOf = async (website: string): Promise<unknown[]> =>
      ((await documentOf("W", sha1(website)))["pages"] as Fields[]).map(({ id }) => id);
    const neighbour = "http://www.rtl.lu/meenung/carte-blanche/b.html";
    await send(visit(ARTICLE), visit(neighbour, 1));
    await call("configure_tracker", "HOSTS", table, "UNKNOWN", unknown);
    await send(visit(neighbour, 2), visit(ARTICLE, 3));
    expect(await pagesOf("rtl.lu")).toEqual([]);
    expect(await pagesOf(name)).toHaveLength(2);
    await call("configure_tracker", "HOSTS", "{}", "UNKNOWN", "host");
    await send(visit(ARTICLE, 4));
    expect(await pagesOf("rtl.lu")).toEqual([PAGE]);
    expect(await pagesOf(name)).toHaveLength(1);
    expect(await documentOf("P", PAGE)).toMatchObject({ website: { id: SITE }, section: { id: SECTION } });
  });
});
