/** Which of several partitions counts an event: pages are spread, so that each is counted in one place. */
import { createHash } from "node:crypto";

/**
 * The partition of a page, by rendezvous hashing (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998):
 * of all names, that with the greatest SHA-1 of `name`, a space and the page. A further partition takes its share of pages from all
 * others, and moves no other page.
 *
 * Any rule may be used in place of it: answers are right however events are spread. With this one, each page is in one partition, which
 * is what keeps rankings cheap.
 *
 * @param url address of the page; what follows `?` or `#` and the case of the host make no difference
 * @param partitions names, in any order
 */
export function partitionOfPage(url: string, partitions: readonly string[]): string {
  return chosenFor(pageOf(url), partitions);
}

/** The home of a record: where devices that several partitions have seen of it are brought together. Chosen as for a page. */
export function homeOfRecord(id: string, partitions: readonly string[]): string {
  return chosenFor(id, partitions);
}

function chosenFor(what: string, partitions: readonly string[]): string {
  let chosen = "";
  let greatest = "";
  for (const name of partitions) {
    const hash = createHash("sha1").update(`${name} ${what}`).digest("hex");
    if (hash > greatest) [chosen, greatest] = [name, hash];
  }
  return chosen;
}

/** The address without what does not tell pages apart: scheme, query, fragment, case of the host. */
function pageOf(url: string): string {
  const [, host = "", path = ""] = /^(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?#]*)([^?#]*)/i.exec(url) ?? ["", "", url];
  return host.toLowerCase() + (path === "" ? "/" : path);
}
