/** From a vendor and a year to the links of all products: the year's pages, their lists, and what they continue on. */
import pLimit from "p-limit";
import type { PagingConfig, VendorConfig } from "../vendor-config";
import type { Rule } from "../vendor-rules";
import { MACHINE_CLOCK, type Clock } from "../../fetch/politeness";
import { oneLine, MAX_TITLE } from "../../fetch/text";
import { select, type Page } from "./dom";
import type { VendorPages } from "./pages";
import { findText, findTexts, yearOf } from "./rules";
import { VendorError } from "./types";
import { MINUTE_MS } from "../../runtime/time";

/** Of a list that leads to further lists: a year, its series, and one below. */
const MAX_LEVELS = 3;
/** Years are asked for one after the other, and the page that names them need not be fetched for each. */
const KEEP_INDEX_MS = 10 * MINUTE_MS;

const HREF: Rule[] = [{ attribute: "href" }, { select: "a[href]", attribute: "href" }];
const LINK_TEXT: Rule[] = [{ select: "a[href]" }, {}];

/** One year's walk through its pages. */
interface Walk {
  links: Map<string, string>;
  /** Pages that were fetched, by address; none is fetched twice. */
  seen: Set<string>;
  signal: AbortSignal;
}

/** What a page of a list has. */
interface Items {
  items: number;
  /** Links of the vendor. */
  own: string[];
}

interface Index {
  years: Map<number, URL[]>;
  endsMs: number;
}

export class VendorLinks {
  #index: Index | undefined;
  readonly #oneIndex = pLimit(1);

  constructor(
    private readonly config: VendorConfig,
    private readonly pages: VendorPages,
    private readonly clock: Clock = MACHINE_CLOCK,
  ) {}

  /** @throws VendorError */
  async ofYear(year: number, signal: AbortSignal): Promise<Record<string, string>> {
    const walk: Walk = { links: new Map(), seen: new Set(), signal };
    for (const url of await this.#yearPages(year, signal)) {
      const first = await this.#readList(url, 1, walk);
      if (first && first.items === 0) this.#requireEmpty(first.page);
    }
    return Object.fromEntries(walk.links);
  }

  async #yearPages(year: number, signal: AbortSignal): Promise<URL[]> {
    const { page, query } = this.config.years;
    const urls =
      page === undefined
        ? ((await this.#readIndex(signal)).get(year) ?? [])
        : [this.#own(page.replaceAll("{year}", String(year)))];
    return urls.map((url) => withQuery(url, query));
  }

  /** One at a time: who comes second finds what the first one read, and is not ended with it. */
  #readIndex(signal: AbortSignal): Promise<Map<number, URL[]>> {
    return this.#oneIndex(async () => {
      signal.throwIfAborted();
      if (!this.#index || this.#index.endsMs <= this.clock.now()) {
        this.#index = { years: await this.#fetchIndex(signal), endsMs: this.clock.now() + KEEP_INDEX_MS };
      }
      return this.#index.years;
    });
  }

  async #fetchIndex(signal: AbortSignal): Promise<Map<number, URL[]>> {
    const { url, item, link = HREF, year: yearRules = LINK_TEXT } = this.config.years.index!;
    const page = await this.#fetchWhole(this.#own(url), signal);
    const years = new Map<number, URL[]>();
    for (const element of select(page.document, item)) {
      const year = yearOf(findText(yearRules, element, page) ?? "");
      const target = this.pages.address(findText(link, element, page) ?? "", page.base);
      if (year === undefined || target === undefined) continue;
      const known = years.get(year) ?? [];
      if (!known.some(({ href }) => href === target.href)) years.set(year, [...known, target]);
    }
    if (years.size === 0) throw layout(page, "has no year's page where the configuration looks for them");
    return years;
  }

  /**
   * A list through all of its pages, and the lists that it leads to.
   *
   * @returns its first page, and how many items it and those lists begin with; undefined if it was read before
   */
  async #readList(start: URL, level: number, walk: Walk): Promise<{ page: Page; items: number } | undefined> {
    if (walk.seen.has(start.href)) return undefined;
    const page = await this.#fetchNew(start, walk);
    const count = this.#takeItems(page, walk);
    if (count.items > 0 && count.own.length === 0)
      throw layout(page, `has ${count.items} items, and no link of ${this.config.vendor} in any of them`);
    if (count.items > 0) await this.#readFollowing(page, start, count, walk);
    let { items } = count;
    for (const url of this.#linksToMore(page, count.items, level))
      items += (await this.#readList(url, level + 1, walk))?.items ?? 0;
    return { page, items };
  }

  /** Later pages, until one brings nothing that is new: some shops answer the last one for ever, or begin again. */
  async #readFollowing(first: Page, start: URL, count: Items, walk: Walk): Promise<void> {
    const { paging } = this.config;
    if (!paging) return;
    // Of this list alone: other lists of the year may have the same products.
    const own = new Set(count.own);
    let page = first;
    for (let at = 1; ; at += 1) {
      const next = paging.type === "next" ? this.#nextOf(page, paging.link) : numbered(start, paging, at, first);
      if (!next || walk.seen.has(next.href)) return;
      const fetched = await this.#tryNew(next, walk);
      // Past the end is where one gets by counting, not by following links.
      if (!fetched && paging.type === "next")
        throw new VendorError("paging", `${next.href} is not there, though it is linked`, { permanent: false });
      if (!fetched) return;
      const before = own.size;
      for (const link of this.#takeItems(fetched, walk).own) own.add(link);
      if (own.size === before) return;
      page = fetched;
    }
  }

  #nextOf(page: Page, link: readonly Rule[]): URL | undefined {
    const text = findText(link, page.document, page);
    return text === undefined ? undefined : this.pages.address(text, page.base);
  }

  #linksToMore(page: Page, items: number, level: number): URL[] {
    const { more } = this.config.list;
    if (!more || level >= MAX_LEVELS || (more.when === "empty" && items > 0)) return [];
    const urls = findTexts(more.link, page.document, page).flatMap((text) => this.pages.address(text, page.base) ?? []);
    return urls.map((url) => withQuery(url, this.config.years.query));
  }

  #takeItems(page: Page, { links }: Walk): Items {
    const { item, link = HREF, name = LINK_TEXT, dropQuery } = this.config.list;
    const items = select(page.document, item);
    const own: string[] = [];
    for (const element of items) {
      const url = this.pages.address(findText(link, element, page) ?? "", page.base);
      if (!url) continue;
      for (const each of dropQuery) if (url.searchParams.has(each)) url.searchParams.delete(each);
      own.push(url.href);
      const text = oneLine(findText(name, element, page) ?? "", MAX_TITLE);
      if (!links.get(url.href)) links.set(url.href, text ?? "");
    }
    return { items: items.length, own };
  }

  #requireEmpty(page: Page): void {
    const { empty } = this.config.list;
    if (empty !== undefined && select(page.document, empty).length > 0) return;
    throw layout(page, "has no items where the configuration looks for them");
  }

  async #fetchNew(url: URL, walk: Walk): Promise<Page> {
    this.#note(url, walk);
    return this.#fetchWhole(url, walk.signal);
  }

  /** Undefined if the page is not there. */
  async #tryNew(url: URL, walk: Walk): Promise<Page | undefined> {
    this.#note(url, walk);
    const fetched = await this.pages.fetchPatiently(url, walk.signal);
    return fetched.status === 200 ? whole(fetched.page) : undefined;
  }

  #note(url: URL, { seen }: Walk): void {
    const { maxPages } = this.config;
    if (seen.size >= maxPages)
      throw new VendorError("paging", `more than ${maxPages} pages, which is maxPages, up to ${url.href}`, {
        permanent: true,
      });
    seen.add(url.href);
  }

  async #fetchWhole(url: URL, signal: AbortSignal): Promise<Page> {
    const fetched = await this.pages.fetchPatiently(url, signal);
    if (fetched.status !== 200)
      throw new VendorError(`status ${fetched.status}`, `${url.href} is not there`, { permanent: true });
    return whole(fetched.page);
  }

  #own(address: string): URL {
    const url = this.pages.address(address);
    if (url) return url;
    throw new VendorError("url", `${address} is none of ${this.config.vendor}'s addresses`, { permanent: true });
  }
}

/** Half a list would have the links of the other half removed. */
function whole(page: Page): Page {
  if (page.isCut) throw new VendorError("size", `${page.url.href} has more bytes than maxBytes`, { permanent: true });
  return page;
}

function withQuery(url: URL, query: Record<string, string>): URL {
  const changed = new URL(url);
  for (const [name, value] of Object.entries(query)) changed.searchParams.set(name, value);
  return changed;
}

/** The page after `at` others; undefined past the last one, where the first one says which that is. */
function numbered(
  start: URL,
  paging: Exclude<PagingConfig, { type: "next" }>,
  at: number,
  first: Page,
): URL | undefined {
  if (paging.type === "offset")
    return withQuery(start, { [paging.parameter]: String(paging.first + at * paging.size) });
  const number = paging.first + at;
  if (paging.last !== undefined && number > lastOf(first, paging.last)) return undefined;
  if (paging.parameter !== undefined) return withQuery(start, { [paging.parameter]: String(number) });
  const url = new URL(start);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${paging.suffix!.replaceAll("{page}", String(number)).replace(/^\//, "")}`;
  return url;
}

/** The highest number that is found: links to pages end with a word. */
function lastOf(page: Page, rules: readonly Rule[]): number {
  const numbers = findTexts(rules, page.document, page).flatMap((text) => text.match(/\d+/g) ?? []);
  return numbers.length === 0 ? Infinity : Math.max(...numbers.map(Number));
}

function layout(page: Page, what: string): VendorError {
  return new VendorError("layout", `${page.url.href} ${what}`, { permanent: true });
}
