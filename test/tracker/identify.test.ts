/* What addresses and names are to the tracker, and rankings of one section. */
import { beforeEach, describe, expect, it } from "vitest";
import { event, MINUTE, NOON, sha1, useTracker } from "../support/tracker";

const tracker = useTracker();

beforeEach(() => tracker.server.flush());

const identify = (url: string) => tracker.record("identify_url", url);

describe("identify_url", () => {
  it.each([
    ["https://www.rtl.lu/news/national/a/1.html?x=1#y", "rtl.lu", "news/national", "www.rtl.lu/news/national/a/1.html"],
    ["HTTP://user:pw@WWW.RTL.LU:80//a//b", "rtl.lu", "a", "www.rtl.lu/a/b"],
    ["https://rtl.lu:8443", "rtl.lu", "/", "rtl.lu:8443/"],
    ["https://rtl.lu/caf%C3%A9/x", "rtl.lu", "café", "rtl.lu/caf%C3%A9/x"],
  ])("%s is of %s, section %s, page %s", async (url, website, section, page) => {
    expect(await identify(url)).toEqual({
      website_id: sha1(website),
      website,
      section_id: sha1(`${website}/${section}`),
      section,
      page_id: sha1(page),
      page,
    });
  });

  it("says what counting does: the ids have documents after an event", async () => {
    await tracker.call("configure_tracker", "HOSTS", '{"www.rtl.lu":"rtl"}');
    const url = "https://www.rtl.lu/news/national/a/1.html";
    await tracker.call("track_events", event(url, "d", NOON), "NOW", NOON);
    const { website, website_id, section_id, page_id } = await identify(url);
    expect(website).toBe("rtl");
    for (const [dimension, id] of [
      ["W", website_id],
      ["S", section_id],
      ["P", page_id],
    ]) {
      expect(await tracker.call("get_document", dimension as string, id as string), dimension as string).not.toBeNull();
    }
  });

  it.each(["rtl.lu/a", "ftp://rtl.lu/a", "http:///a", "x"])("refuses %s", async (url) => {
    expect(await tracker.refusal("identify_url", url)).toBe(`BADARG url is no absolute http(s) address, got '${url}'`);
  });

  it("answers NOTFOUND for a host that is refused", async () => {
    await tracker.call("configure_tracker", "UNKNOWN", "refuse");
    expect(await tracker.refusal("identify_url", "http://x.example/")).toMatch(/^NOTFOUND .*'http:\/\/x.example\/'/);
  });

  it("writes nothing, on a replica's terms", async () => {
    await tracker.read("identify_url", "http://x.example/");
    expect(await tracker.client.dbSize()).toBe(0);
  });
});

describe("identify_name", () => {
  it("takes a website in any case", async () => {
    expect(await tracker.record("identify_name", "RTL.lu")).toEqual({
      website_id: sha1("rtl.lu"),
      website: "rtl.lu",
      section_id: null,
    });
  });

  it("takes a section as it is written", async () => {
    const { section_id } = await tracker.record("identify_name", "rtl.lu", "SECTION", "News/a");
    expect(section_id).toBe(sha1("rtl.lu/News/a"));
  });
});

describe("rank_pg SECTION", () => {
  const FROM_TO = ["FROM", NOON, "TO", NOON + MINUTE, "NOW", NOON];
  const section = sha1("a.example/news");

  beforeEach(async () => {
    const events = ["/news/1.html", "/news/1.html", "/news/2.html", "/sport/1.html", "/sport/1.html", "/sport/1.html"];
    await tracker.call(
      "track_events",
      ...events.map((path, at) => event(`http://a.example${path}`, `d${at}`, NOON)),
      "NOW",
      NOON,
    );
  });

  it("lists the pages of the section and no other", async () => {
    const { ranking, exact } = await tracker.record("rank_pg", "P", "SECTION", section, ...FROM_TO);
    expect(ranking).toEqual([
      [sha1("a.example/news/1.html"), 2],
      [sha1("a.example/news/2.html"), 1],
    ]);
    expect(exact).toBe(1);
  });

  it("is empty for a section that nobody visited", async () => {
    expect((await tracker.record("rank_pg", "P", "SECTION", sha1("x"), ...FROM_TO))["ranking"]).toEqual([]);
  });

  it("goes with pages only, and not with WEBSITE", async () => {
    expect(await tracker.refusal("rank_pg", "S", "SECTION", section, ...FROM_TO)).toBe(
      "BADARG SECTION applies to the dimension P, got 'S'",
    );
    expect(await tracker.refusal("rank_pg", "P", "SECTION", section, "WEBSITE", section, ...FROM_TO)).toBe(
      "BADARG SECTION takes the place of WEBSITE, got both",
    );
  });
});
