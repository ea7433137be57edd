/** A vendor's list of links in Redis: replaced year by year, and read whole. */
import type { HotpathFunctions } from "../contract";

export type LinkFunctions = Pick<HotpathFunctions, "syncLinks" | "listLinks">;

/** Links of one call. */
const CHUNK = 1000;
/** Links of one page, the most that list_links answers. */
const PAGE = 1000;
/** A link that is looked at moves to the end, and those behind it move up: more than are looked at between two pages. */
const OVERLAP = 100;

export interface LinkSums {
  added: number;
  removed: number;
}

/**
 * Makes the list of a year what the vendor shows; in several calls where there are many, of which only the last removes.
 *
 * @param links address → name
 */
export async function storeLinks(
  functions: LinkFunctions,
  vendor: string,
  year: number,
  links: Readonly<Record<string, string>>,
): Promise<LinkSums> {
  const entries = Object.entries(links);
  const sums: LinkSums = { added: 0, removed: 0 };
  let run: number | undefined;
  for (let at = 0; ;) {
    const more = at + CHUNK < entries.length ? 1 : 0;
    const chunk = JSON.stringify(Object.fromEntries(entries.slice(at, at + CHUNK)));
    const summary = await functions.syncLinks({ vendor, year, links: chunk, more, ...(run !== undefined && { run }) });
    sums.added += summary.added;
    sums.removed += summary.removed;
    run = summary.run;
    if (more === 1) at += CHUNK;
    else if (summary.remaining === 0) return sums;
  }
}

/** A link, as far as a task about it needs to know. */
export interface ListedLink {
  url: string;
  year: number;
}

/**
 * The links of a vendor's year.
 *
 * @param staleMs only those at which nobody has looked for so long
 */
export async function readLinks(
  functions: LinkFunctions,
  vendor: string,
  year: number,
  staleMs?: number,
): Promise<ListedLink[]> {
  const found = new Map<string, ListedLink>();
  for (let offset = 0; ; offset += PAGE - OVERLAP) {
    const [total, ...page] = await functions.listLinks({
      vendor,
      year,
      offset,
      count: PAGE,
      ...(staleMs !== undefined && { stale: staleMs }),
    });
    for (const json of page) {
      const { url } = JSON.parse(json) as { url: string };
      found.set(url, { url, year });
    }
    if (offset + PAGE >= total) return [...found.values()];
  }
}
