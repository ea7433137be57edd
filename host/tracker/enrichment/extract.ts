/**
 * Title, kicker and display date of a page, read while it arrives.
 *
 * The order of the sources is in `docs/operations.md`, "Page metadata"; it is the order of the lists below.
 */
import { Parser } from "htmlparser2";
import { parseDate } from "../../fetch/dates";
import { readLinkedData } from "../../fetch/json-ld";
import type { Metadata } from "./metadata";
import { MAX_KICKER, MAX_TITLE, oneLine } from "../../fetch/text";

/** Names of <meta>, in `property`, `name` or `itemprop`; lower case. */
const TITLES = ["og:title"];
const OTHER_TITLES = ["twitter:title", "headline", "title", "dc.title", "dcterms.title"];
const KICKERS = ["article:kicker", "kicker", "og:kicker"];
const SECTIONS = ["article:section", "og:article:section", "section"];
const PUBLISHED = ["article:published_time", "og:article:published_time", "og:published_time"];
const OTHER_PUBLISHED = [
  "datepublished",
  "article:published",
  "dcterms.issued",
  "dc.date.issued",
  "dcterms.date",
  "dc.date",
  "publish-date",
  "publishdate",
  "publication_date",
  "pubdate",
  "parsely-pub-date",
  "sailthru.date",
  "date",
];
const MODIFIED = ["article:modified_time", "og:updated_time", "datemodified", "dcterms.modified", "last-modified"];

const WANTED = new Set([TITLES, OTHER_TITLES, KICKERS, SECTIONS, PUBLISHED, OTHER_PUBLISHED, MODIFIED].flat());

/** Texts longer than this are cut while they are read; what is shown is far shorter. */
const MAX_TEXT = 4000;
const MAX_SCRIPTS = 20;
const MAX_SCRIPT = 262_145;

type Capture = "title" | "h1" | "json-ld";

export class Extraction {
  readonly #metas = new Map<string, string>();
  readonly #scripts: string[] = [];
  readonly #texts: Partial<Record<Capture, string>> = {};
  readonly #times: { marked?: string; first?: string } = {};
  #capture: Capture | undefined;
  #captured = "";
  #headIsOver = false;
  #fromHead: Metadata | undefined;
  readonly #parser = new Parser({
    onopentag: (name, attributes) => this.#open(name, attributes),
    onclosetag: (name) => this.#close(name),
    ontext: (text) => this.#text(text),
  });

  /**
   * @param timeZone in which times without a zone are meant, an IANA name
   * @param nowMs for dates that are too far ahead
   */
  constructor(
    private readonly timeZone: string,
    private readonly nowMs: number,
  ) {}

  /**
   * The head is over and has the title and the date: nothing that comes later counts, in this piece or the next. Where it has
   * not, the whole page counts; so the result does not depend on how the page was cut into pieces.
   */
  get isComplete(): boolean {
    return this.#fromHead !== undefined;
  }

  /** Takes the next piece of the page. */
  write(text: string): void {
    if (!this.isComplete) this.#parser.write(text);
  }

  /** Ends the page, also one that was cut off in the middle of a text. */
  end(): void {
    this.#parser.end();
    if (this.#capture !== undefined && this.#capture !== "json-ld") this.#keep();
  }

  /** What has been found so far. */
  result(): Metadata {
    return this.#fromHead ?? this.#evaluate();
  }

  #evaluate(): Metadata {
    const linked = readLinkedData(this.#scripts);
    const title = [
      this.#meta(TITLES),
      [linked.headline],
      this.#meta(OTHER_TITLES),
      [this.#texts.title, this.#texts.h1],
    ];
    const kicker = [this.#meta(KICKERS), [linked.kicker], this.#meta(SECTIONS), [linked.section]];
    const date = [
      this.#meta(PUBLISHED),
      [linked.published],
      this.#meta(OTHER_PUBLISHED),
      [this.#times.marked, this.#times.first, linked.created],
      this.#meta(MODIFIED),
      [linked.modified],
    ];
    return {
      title: first(title.flat(), (text) => oneLine(text, MAX_TITLE)),
      kicker: first(kicker.flat(), (text) => oneLine(text, MAX_KICKER)),
      displayDate: first(date.flat(), (text) => parseDate(text, this.timeZone, this.nowMs)),
    };
  }

  #meta(names: readonly string[]): (string | undefined)[] {
    return names.map((name) => this.#metas.get(name));
  }

  #open(name: string, attributes: Record<string, string>): void {
    switch (name) {
      case "meta":
        return this.#noteMeta(attributes);
      case "time":
        return this.#noteTime(attributes);
      case "body":
        return this.#endHead();
      case "title":
      case "h1":
        // A page may draw with SVG, whose shapes have titles too; the first one is the page's.
        if (this.#texts[name] === undefined && this.#capture === undefined) this.#begin(name);
        return;
      case "br":
        this.#text(" ");
        return;
      case "script":
        if (/^application\/ld\+json\b/i.test(attributes["type"]?.trim() ?? "") && this.#capture === undefined) {
          this.#begin("json-ld");
        }
    }
  }

  #endHead(): void {
    if (this.#headIsOver) return;
    this.#headIsOver = true;
    const found = this.#evaluate();
    if (found.title !== undefined && found.displayDate !== undefined) this.#fromHead = found;
  }

  #begin(capture: Capture): void {
    this.#capture = capture;
    this.#captured = "";
  }

  #close(name: string): void {
    if (name === "head") this.#endHead();
    if (this.#capture !== undefined && name === (this.#capture === "json-ld" ? "script" : this.#capture)) this.#keep();
  }

  #text(text: string): void {
    if (this.#capture === undefined) return;
    const most = this.#capture === "json-ld" ? MAX_SCRIPT : MAX_TEXT;
    if (this.#captured.length < most) this.#captured += text.slice(0, most - this.#captured.length);
  }

  #keep(): void {
    if (this.#capture === "json-ld") {
      if (this.#scripts.length < MAX_SCRIPTS) this.#scripts.push(this.#captured);
    } else if (this.#captured.trim() !== "") {
      this.#texts[this.#capture!] = this.#captured;
    }
    this.#capture = undefined;
  }

  #noteMeta({ property, name, itemprop, content = "" }: Record<string, string>): void {
    if (content.trim() === "") return;
    for (const names of [property, name, itemprop]) {
      for (const each of (names ?? "").toLowerCase().split(/\s+/)) {
        if (WANTED.has(each) && !this.#metas.has(each)) this.#metas.set(each, content.slice(0, MAX_TEXT));
      }
    }
  }

  #noteTime({ datetime, itemprop = "", pubdate }: Record<string, string>): void {
    if (datetime === undefined || datetime.trim() === "") return;
    const isMarked = pubdate !== undefined || /\bdatePublished\b/i.test(itemprop);
    if (isMarked) this.#times.marked ??= datetime.slice(0, 100);
    else this.#times.first ??= datetime.slice(0, 100);
  }
}

/** The first candidate that is there and can be used. */
function first<T>(candidates: (string | undefined)[], use: (text: string) => T | undefined): T | undefined {
  for (const candidate of candidates) {
    const used = candidate === undefined ? undefined : use(candidate);
    if (used !== undefined) return used;
  }
  return undefined;
}
