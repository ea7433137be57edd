/* Pages and static files of a log, by their paths. */
import { describe, expect, it } from "vitest";
import { judgeLine } from "../../host/tracker/import/access-log";
import { pagesBy } from "../../host/tracker/import/page-rules";

const usual = pagesBy();

describe("a path", () => {
  it.each([
    ...["/live/720p.m3u8", "/live/seg-00017.ts", "/v/init.m4s", "/v/manifest.mpd", "/s/de.vtt", "/a.opus", "/b.WMV"],
    ...[
      "/logo.svgz",
      "/book.epub",
      "/p.heic",
      "/p.jxl",
      "/fw.bin",
      "/style.css?v=3",
      "/app.js",
      "/js/why-we-love-vue.js",
    ],
    ...["/blog/app.js", "/blog/why-we-love-it.jpg", "/wiki/skins/app.min.js", "/blog/assets/one-two-three.js"],
    ...["/blog/load-more-posts-1a2b3c4d5e.js", "/blog/jquery-ui-core-1.12.1.js", "/news/feed.xml", "/robots.txt"],
  ])("%s is a static file", (path) => expect(usual.isStatic(path)).toBe(true));

  it.each([
    ...["/", "/a", "/a.html", "/a.php?file=x.css", "/x.css/", "/wiki/Node.js", "/wiki/File:Cat.jpg", "/tags/vue.js"],
    ...["/blog/why-we-love-vue.js", "/2025/11/what-is-package.json", "/en/docs/how-to-write-robots.txt", "/v2.0"],
  ])("%s is a page", (path) => expect(usual.isStatic(path)).toBe(false));

  it("is what the options say", () => {
    const pages = pagesBy({ static: [".Foo"], pages: ["pdf", "/static-pages/"] });
    expect(["/a.foo", "/a.pdf", "/static-pages/a.css", "/b.css"].map(pages.isStatic)).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });
});

describe("a parameter of a session", () => {
  it.each([
    ["/shop;jsessionid=1A2B.node1", "/shop"],
    ["/shop;JSESSIONID=1A2B!7?x=1;sid=2", "/shop?x=1;sid=2"],
    ["/a;sid=1/b;v=2;jsessionid=3", "/a/b;v=2"],
    ["/a;b=c", "/a;b=c"],
  ])("is no part of %s", (path, expected) => expect(usual.withoutSession(path)).toBe(expected));

  it("is what the option says", () => {
    expect(pagesBy({ sessionParameters: ["tok"] }).withoutSession("/a;tok=1;sid=2")).toBe("/a;sid=2");
    expect(pagesBy({ sessionParameters: [] }).withoutSession("/a;sid=2")).toBe("/a;sid=2");
  });

  it("hides no static file", () => {
    const rest = '[20/Nov/2025:10:00:00 +0000] "GET /style.css;jsessionid=1A HTTP/1.1" 200 1 "-" "Firefox/130.0"';
    expect(judgeLine(`203.0.113.5 - - ${rest}`)).toEqual({ leftOut: "static" });
  });
});
