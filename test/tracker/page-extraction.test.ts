import { describe, expect, it } from "vitest";
import { charsetOf, decodePage } from "../../host/fetch/decode";
import { parseDate } from "../../host/fetch/dates";
import { Extraction } from "../../host/tracker/enrichment/extract";
import { readItem } from "../../host/tracker/enrichment/items";
import { readLinkedData } from "../../host/fetch/json-ld";
import type { ItemSource } from "../../host/tracker/enrichment/settings";
import { oneLine } from "../../host/fetch/text";

const NOW = Date.UTC(2026, 10, 20, 12);
const NOON = NOW;
const DAY = 86_400_000;

function extract(html: string, pieceLength = html.length, timeZone = "UTC") {
  const extraction = new Extraction(timeZone, NOW);
  for (let at = 0; at < html.length; at += pieceLength) extraction.write(html.slice(at, at + pieceLength));
  extraction.end();
  return extraction.result();
}

const meta = (name: string, content: string) => `<meta name="${name}" content="${content}">`;
const og = (property: string, content: string) => `<meta property="${property}" content="${content}">`;
const ld = (data: unknown) => `<script type="application/ld+json">${JSON.stringify(data)}</script>`;
const ISO = "2026-11-20T12:00:00Z";
const OTHER = "2020-01-01T00:00:00Z";

describe("where a title comes from", () => {
  const order: [source: string, html: string][] = [
    ["og:title", og("og:title", "a")],
    ["JSON-LD", ld({ "@type": "NewsArticle", headline: "b" })],
    ["twitter:title", meta("twitter:title", "c")],
    ["headline", `<meta itemprop="headline" content="d">`],
    ["title in <meta>", meta("title", "e")],
    ["dc.title", meta("DC.title", "f")],
    ["dcterms.title", meta("dcterms.title", "g")],
    ["<title>", "<title>h</title>"],
    ["<h1>", "<body><h1>i</h1>"],
  ];
  it.each(order.map(([source, html], at) => ({ source, html, at })))("$source", ({ html, at }) => {
    expect(extract(html).title).toBe("abcdefghi"[at]);
    // Whatever stands before it in the page, it comes before those after it in the list.
    const rest = order.slice(at + 1).map(([, each]) => each);
    expect(extract(`${rest.join("")}${html}`).title).toBe("abcdefghi"[at]);
  });

  it.each([
    ["empty ones are passed over", `${og("og:title", " ")}<title>x</title>`, "x"],
    ["the first of several", og("og:title", "x") + og("og:title", "y"), "x"],
    ["several names at once", `<meta property="og:title foo" content="x">`, "x"],
    ["entities", og("og:title", "L&#39;&Eacute;t&eacute; &amp; l&rsquo;hiver &lt;3"), "L'Été & l’hiver <3"],
    ["white space", "<title>\n  a\t b&nbsp;c\u200b\n</title>", "a b c"],
    ["control characters", "<title>a\u0001\u0085b</title>", "a b"],
    ["a title cut off", "<head><title>half a ti", "half a ti"],
    ["the title of the page, not of a drawing", "<title>x</title><svg><title>y</title></svg>", "x"],
    ["an empty title before", "<title></title><h1>x <b>y</b><br>z</h1>", "x y z"],
    ["names in capitals", `<META PROPERTY="OG:TITLE" CONTENT="x">`, "x"],
    ["a comment", `<!-- ${og("og:title", "y")} --><title>x</title>`, "x"],
    [
      "text of a script",
      `<script>document.write('<meta property="og:title" content="y">')</script><title>x</title>`,
      "x",
    ],
    ["markup in JSON-LD", ld({ "@type": "Article", headline: "A &amp; <em>b</em>" }), "A & b"],
    ["none", "<body><p>text</p>", undefined],
    ["nothing", "", undefined],
  ])("%s", (_name, html, title) => expect(extract(html).title).toBe(title));

  it("is cut at 512 bytes, never in the middle of a character", () => {
    expect(extract(og("og:title", "ä".repeat(256))).title).toBe("ä".repeat(256));
    expect(extract(og("og:title", "ä".repeat(257))).title).toBe(`${"ä".repeat(254)}…`);
    expect(extract(og("og:title", "😀".repeat(129))).title).toBe(`${"😀".repeat(127)}…`);
    expect(extract(og("og:title", `${"x".repeat(508)} ${"y".repeat(9)}`)).title).toBe(`${"x".repeat(508)}…`);
    expect(oneLine("\ud83d", 10)).toBeUndefined();
    expect(extract(og("article:kicker", "x".repeat(256))).kicker).toBe("x".repeat(256));
    expect(extract(og("article:kicker", "x".repeat(257))).kicker).toBe(`${"x".repeat(253)}…`);
  });
});

describe("where a kicker comes from", () => {
  const order = [
    og("article:kicker", "a"),
    meta("kicker", "b"),
    og("og:kicker", "c"),
    ld({ "@type": "NewsArticle", alternativeHeadline: "d" }),
    og("article:section", "e"),
    og("og:article:section", "f"),
    meta("section", "g"),
    ld({ "@type": "NewsArticle", articleSection: ["h", "i"] }),
  ];
  it.each(order.map((html, at) => ({ html, at })))("$html", ({ html, at }) => {
    expect(extract(order.slice(at + 1).join("") + html).kicker).toBe("abcdefgh"[at]);
  });
  it("there may be none", () => expect(extract("<title>x</title>").kicker).toBeUndefined());
});

describe("where a date comes from", () => {
  const date = (day: number) => `2026-10-${String(day).padStart(2, "0")}T00:00:00Z`;
  const order = [
    (text: string) => og("article:published_time", text),
    (text: string) => og("og:article:published_time", text),
    (text: string) => og("og:published_time", text),
    (text: string) => ld({ "@type": "NewsArticle", datePublished: text }),
    (text: string) => `<meta itemprop="datePublished" content="${text}">`,
    (text: string) => meta("article:published", text),
    (text: string) => meta("dcterms.issued", text),
    (text: string) => meta("DC.date.issued", text),
    (text: string) => meta("dcterms.date", text),
    (text: string) => meta("DC.date", text),
    (text: string) => meta("publish-date", text),
    (text: string) => meta("publishdate", text),
    (text: string) => meta("publication_date", text),
    (text: string) => meta("pubdate", text),
    (text: string) => meta("parsely-pub-date", text),
    (text: string) => meta("sailthru.date", text),
    (text: string) => meta("date", text),
    (text: string) => `<time datetime="${text}" itemprop="datePublished"></time>`,
    (text: string) => `<time datetime="${text}"></time>`,
    (text: string) => ld({ "@type": "NewsArticle", dateCreated: text }),
    (text: string) => og("article:modified_time", text),
    (text: string) => og("og:updated_time", text),
    (text: string) => `<meta itemprop="dateModified" content="${text}">`,
    (text: string) => meta("dcterms.modified", text),
    (text: string) => meta("last-modified", text),
    (text: string) => ld({ "@type": "NewsArticle", dateModified: text }),
  ];
  it.each(order.map((make, at) => ({ name: make(""), make, at })))("$name", ({ make, at }) => {
    const rest = order.slice(at + 1).map((each, later) => each(date(at + later + 2)));
    expect(extract(rest.join("") + make(date(at + 1))).displayDate).toBe(Date.UTC(2026, 9, at + 1));
    // One that cannot be read is passed over.
    expect(extract(make("soon") + make("2026-13-01") + meta("last-modified", ISO)).displayDate).toBe(
      make("").includes("last-modified") ? undefined : NOON,
    );
  });
});

describe("dates", () => {
  it.each<[string, number | undefined]>([
    ["2026-11-20", Date.UTC(2026, 10, 20)],
    ["20261120", Date.UTC(2026, 10, 20)],
    ["2026-11-20T12:00:00Z", NOON],
    ["2026-11-20T12:00Z", NOON],
    ["2026-11-20 12:00:00 UTC", NOON],
    [" 2026-11-20T12:00:00.000Z ", NOON],
    ["2026-11-20T12:00:00.123456789Z", NOON + 123],
    ["2026-11-20T12:00:00,5Z", NOON + 500],
    ["2026-11-20T13:00:00+01:00", NOON],
    ["2026-11-20T13:00:00+0100", NOON],
    ["2026-11-20T13:00+01", NOON],
    ["2026-11-20T04:30:00-07:30", NOON],
    ["2026-11-20T13:00:00+01:00[Europe/Luxembourg]", NOON],
    ["20261120T120000Z", NOON],
    ["Fri, 20 Nov 2026 12:00:00 GMT", NOON],
    ["20 November 2026 12:00 +0000", NOON],
    ["Fri, 20 Nov 2026 13:00:00 +0100", NOON],
    ["20 Nov 2026", Date.UTC(2026, 10, 20)],
    [String(NOON), NOON],
    [String(NOON / 1000), NOON],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
    ["2023-02-29", undefined],
    ["2026-02-30T00:00:00Z", undefined],
    ["2026-11-20T24:00:00Z", undefined],
    ["2026-11-20T12:60:00Z", undefined],
    ["2026-11-20T12:00:60Z", undefined],
    ["2026-11-20T12:00:00+15:00", undefined],
    ["2026-11-20T12:00:00+01:60", undefined],
    ["2026-00-20", undefined],
    ["2026-11-00", undefined],
    ["11/20/2026", undefined],
    ["yesterday", undefined],
    ["2026", undefined],
    ["", undefined],
    ["20 Foo 2026", undefined],
    ["-2026-11-20", undefined],
    ["1e12", undefined],
  ])("%s", (text, ms) => expect(parseDate(text, "UTC", NOW)).toBe(ms));

  it("are dropped before 1971 and more than 366 days ahead", () => {
    expect(parseDate("1971-01-01", "UTC", NOW)).toBe(Date.UTC(1971, 0, 1));
    expect(parseDate("1970-12-31T23:59:59Z", "UTC", NOW)).toBeUndefined();
    expect(parseDate("0001-01-01T00:00:00Z", "UTC", NOW)).toBeUndefined();
    expect(parseDate(String(NOW + 366 * DAY), "UTC", NOW)).toBe(NOW + 366 * DAY);
    expect(parseDate(String(NOW + 366 * DAY + 1), "UTC", NOW)).toBeUndefined();
  });

  it.each<[string, string, number]>([
    ["2026-11-20T13:00:00", "Europe/Luxembourg", NOON],
    ["2026-07-20 14:00", "Europe/Luxembourg", Date.UTC(2026, 6, 20, 12)],
    ["2026-11-20T07:00:00", "America/New_York", NOON],
    ["2026-11-20T17:45:00", "Asia/Kathmandu", NOON],
    // The hours before and after the clocks are turned.
    ["2026-03-29T01:59:59", "Europe/Luxembourg", Date.UTC(2026, 2, 29, 0, 59, 59)],
    ["2026-03-29T03:00:00", "Europe/Luxembourg", Date.UTC(2026, 2, 29, 1)],
    ["2026-10-25T04:00:00", "Europe/Luxembourg", Date.UTC(2026, 9, 25, 3)],
    // A zone that is named is the one that counts, and a day is that day everywhere.
    ["2026-11-20T12:00:00Z", "America/New_York", NOON],
    ["2026-11-20", "America/New_York", Date.UTC(2026, 10, 20)],
  ])("%s in %s", (text, zone, ms) => expect(parseDate(text, zone, NOW)).toBe(ms));
});

describe("JSON-LD", () => {
  const article = { "@type": "NewsArticle", headline: "x", datePublished: ISO };
  it.each<[string, unknown[], string | undefined]>([
    ["an object", [article], "x"],
    ["an array", [[{ "@type": "Organization", name: "o" }, article]], "x"],
    ["a graph", [{ "@graph": [{ "@type": "WebSite", name: "s" }, article] }], "x"],
    ["a list of types", [{ ...article, "@type": ["Thing", "ReportageNewsArticle"] }], "x"],
    ["a type as an address", [{ ...article, "@type": "https://schema.org/NewsArticle" }], "x"],
    ["the main entity of a page", [{ "@type": "WebPage", mainEntity: article, name: "p" }], "x"],
    ["an article before a page", [{ "@type": "WebPage", name: "p" }, article], "x"],
    ["a page where there is no article", [{ "@type": "WebPage", name: "p" }], "p"],
    ["a value as an object", [{ ...article, headline: { "@value": "x", "@language": "lb" } }], "x"],
    ["a value as a list", [{ ...article, headline: ["", "x"] }], "x"],
    ["another kind of thing", [{ "@type": "Organization", name: "o" }], undefined],
    ["no type", [{ headline: "x" }], undefined],
    ["null", [null, 1, "x", []], undefined],
  ])("%s", (_name, scripts, headline) => {
    expect(readLinkedData(scripts.map((each) => JSON.stringify(each))).headline).toBe(headline);
  });

  it("that is broken is left out, and does not hurt what is whole", () => {
    expect(readLinkedData(["{broken", "", JSON.stringify(article)]).headline).toBe("x");
    expect(readLinkedData([`<!-- ${JSON.stringify(article)} -->`]).headline).toBe("x");
    expect(readLinkedData([`//<![CDATA[\n${JSON.stringify(article)}\n//]]>`]).headline).toBe("x");
    expect(extract(`<script type="application/ld+json">{"a": </script><title>t</title>`).title).toBe("t");
  });

  it("is bounded in length, depth and number", () => {
    const long = (length: number) => JSON.stringify(article).padEnd(length, " ");
    expect(readLinkedData([long(262_144)]).headline).toBe("x");
    expect(readLinkedData([long(262_145)]).headline).toBeUndefined();
    const nested = (depth: number): unknown => (depth === 0 ? article : { "@graph": [nested(depth - 1)] });
    expect(readLinkedData([JSON.stringify(nested(3))]).headline).toBe("x");
    expect(readLinkedData([JSON.stringify(nested(4))]).headline).toBeUndefined();
    const many = (before: number) => [...Array.from({ length: before }, () => ({})), article];
    expect(readLinkedData([JSON.stringify(many(499))]).headline).toBe("x");
    expect(readLinkedData([JSON.stringify(many(500))]).headline).toBeUndefined();
  });
});

describe("reading while it arrives", () => {
  const head = `<html><head>${og("og:title", "t&eacute;")}<title>x</title>${og("article:published_time", ISO)}</head>`;

  it("does not depend on how the page was cut", () => {
    const whole = `${head}<body>${og("article:kicker", "late")}<time datetime="${OTHER}"></time></body>`;
    const expected = { title: "té", kicker: undefined, displayDate: NOON };
    for (const length of [1, 2, 3, 7, 64, whole.length]) expect(extract(whole, length)).toEqual(expected);
  });

  it("is over with a head that has title and date", () => {
    const extraction = new Extraction("UTC", NOW);
    extraction.write(head.slice(0, -1));
    expect(extraction.isComplete).toBe(false);
    extraction.write(">");
    expect(extraction.isComplete).toBe(true);
  });

  it("is over with the body where the head's end is left out", () => {
    const extraction = new Extraction("UTC", NOW);
    extraction.write(`${og("og:title", "x")}${og("article:published_time", ISO)}<body>`);
    expect(extraction.isComplete).toBe(true);
  });

  it("goes on where the head lacks one of them", () => {
    const page = `<head>${og("og:title", "x")}</head><body><time datetime="${ISO}"></time>`;
    for (const length of [1, 7, page.length]) {
      expect(extract(page, length)).toEqual({ title: "x", kicker: undefined, displayDate: NOON });
    }
    expect(extract(`<head>${og("article:published_time", ISO)}</head><h1>y</h1>`).title).toBe("y");
  });
});

describe("charsets", () => {
  async function decode(bytes: Buffer, contentType?: string, pieceLength = bytes.length): Promise<string> {
    let text = "";
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += pieceLength) yield bytes.subarray(at, at + pieceLength);
    }
    await decodePage(
      pieces(),
      contentType,
      () => (text = ""),
      (piece) => {
        text += piece;
        return true;
      },
    );
    return text;
  }
  const latin = (text: string) => Buffer.from(text, "latin1");
  const filler = " ".repeat(2000);
  const cases: [string, Buffer, string | undefined, string][] = [
    ["UTF-8 by Content-Type", Buffer.from("é"), "text/html; charset=utf-8", "é"],
    ["latin1 by Content-Type", latin("é"), "text/html; charset=ISO-8859-1", "é"],
    ["windows-1252 by Content-Type", Buffer.from([0x80, 0x93]), 'text/html; charset="windows-1252"', "€“"],
    ["a meta element", latin(`<meta charset="iso-8859-15">\xa4`), undefined, `<meta charset="iso-8859-15">€`],
    [
      "Content-Type before meta",
      Buffer.from(`<meta charset="latin1">é`),
      "text/html;charset=utf-8",
      `<meta charset="latin1">é`,
    ],
    ["a byte order mark before all", Buffer.from("\ufeffé"), "text/html; charset=latin1", "é"],
    ["UTF-16 by its mark", Buffer.from("\ufeffé", "utf16le"), undefined, "é"],
    ["big-endian UTF-16 by its mark", Buffer.from("\ufeffé", "utf16le").swap16(), undefined, "é"],
    ["UTF-16 by Content-Type", Buffer.from("é", "utf16le"), "text/html; charset=utf-16le", "é"],
    ["an unknown charset", Buffer.from("é"), "text/html; charset=nonsense", "é"],
    ["nothing said, UTF-8", Buffer.from("é"), undefined, "é"],
    ["nothing said, windows-1252", Buffer.from([0xe9, 0x20, 0x80]), undefined, "é €"],
    ["nothing said, found out late", Buffer.concat([latin(filler), latin("\xe9.")]), undefined, `${filler}é.`],
    ["nothing said, UTF-8 after much", Buffer.from(`${filler}é`), undefined, `${filler}é`],
    ["said, and not true", latin("a\xe9b"), "text/html; charset=utf-8", "a\ufffdb"],
    ["a character cut in half", Buffer.from("aé").subarray(0, 2), undefined, "a"],
    ["a late character cut in half", Buffer.from(`${filler}é`).subarray(0, 2001), undefined, filler],
    ["nothing", Buffer.alloc(0), undefined, ""],
  ];
  it.each(cases)("%s", async (_name, bytes, contentType, text) => {
    expect(await decode(bytes, contentType)).toBe(text);
  });
  it.each(cases.filter(([name]) => !/cut in half/.test(name)))(
    "%s, byte by byte",
    async (_name, bytes, contentType, text) => {
      expect(await decode(bytes, contentType, 1)).toBe(text);
    },
  );
  it.each([
    ["text/html; charset=utf-8", "utf-8"],
    ['text/html;foo=1;CHARSET="x"', "x"],
    ["text/html", undefined],
    [undefined, undefined],
  ])("%s names %s", (contentType, charset) => expect(charsetOf(contentType)).toBe(charset));
});

describe("items of an API", () => {
  const source: ItemSource = { url: "", title: "data.title", kicker: "data.tags.0", date: "data.at", headers: {} };
  it("are read by property paths", () => {
    const item = { data: { title: " a &amp;\nb", tags: ["k"], at: NOON } };
    expect(readItem(item, source, "UTC", NOW)).toEqual({ title: "a & b", kicker: "k", displayDate: NOON });
  });
  it.each([[null], ["text"], [[]], [{}], [{ data: null }], [{ data: { title: {} } }], [{ data: { title: "" } }]])(
    "without a title are none: %j",
    (item) => expect(readItem(item, source, "UTC", NOW)).toBeUndefined(),
  );
  it("do not answer what objects inherit", () => {
    expect(readItem({}, { ...source, title: "constructor.name" }, "UTC", NOW)).toBeUndefined();
  });
  it("may lack kicker and date, and have dates as text", () => {
    expect(readItem({ data: { title: "x", at: ISO } }, source, "UTC", NOW)).toEqual({
      title: "x",
      kicker: undefined,
      displayDate: NOON,
    });
  });
});
