/** Metadata from a website's own item API, by the article's id. */
import { readBody } from "../../fetch/body";
import { parseDate } from "../../fetch/dates";
import { PageFailure } from "../../fetch/failure";
import type { Fetcher } from "../../fetch/fetch";
import type { Metadata } from "./metadata";
import type { ItemSource } from "./settings";
import { MAX_KICKER, MAX_TITLE, oneLine, withoutMarkup } from "../../fetch/text";

interface ItemLimits {
  maxBytes: number;
  timeZone: string;
}

/**
 * Asks the API for an item.
 *
 * @param articleId digits
 * @returns undefined if the API does not know the item, or knows no title of it
 * @throws PageFailure if the API does not answer, or not in JSON
 */
export async function fetchItem(
  fetcher: Fetcher,
  source: ItemSource,
  articleId: string,
  limits: ItemLimits,
  signal: AbortSignal,
): Promise<Metadata | undefined> {
  const url = new URL(source.url.replaceAll("{article_id}", encodeURIComponent(articleId)));
  const options = { accept: "application/json", headers: source.headers, signal };
  let text: string;
  try {
    text = await fetcher.fetch(url, options, async (answer) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      // One byte more than is allowed tells what was cut off from what just fits.
      for await (const piece of readBody(answer, limits.maxBytes + 1)) {
        pieces.push(piece);
        bytes += piece.length;
      }
      if (bytes > limits.maxBytes) throw new PageFailure("size", `${url.href} has more than ${limits.maxBytes} bytes`);
      return Buffer.concat(pieces).toString("utf8");
    });
  } catch (error) {
    if (error instanceof PageFailure && /^status (404|410)$/.test(error.reason)) return undefined;
    throw error;
  }
  return readItem(parse(text, url), source, limits.timeZone, Date.now());
}

function parse(text: string, url: URL): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    throw new PageFailure("type", `${url.href} is no JSON`);
  }
}

/** Picks the properties out of an item; undefined if it has no title. */
export function readItem(item: unknown, source: ItemSource, timeZone: string, nowMs: number): Metadata | undefined {
  const pick = (path: string | undefined): string => (path === undefined ? "" : textAt(item, path));
  const title = oneLine(withoutMarkup(pick(source.title)), MAX_TITLE);
  if (title === undefined) return undefined;
  return {
    title,
    kicker: oneLine(withoutMarkup(pick(source.kicker)), MAX_KICKER),
    displayDate: parseDate(pick(source.date), timeZone, nowMs),
  };
}

/** The text or number at a path, as text; empty if there is none. */
function textAt(item: unknown, path: string): string {
  let value = item;
  for (const property of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, property)) return "";
    value = (value as Record<string, unknown>)[property];
  }
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
