/** From what a person types to a record of the tracker: an id, a url, or a name. */
import type { Dimension, DocumentedDimension } from "../contract";
import { HotpathError, UnavailableError, UserError } from "../runtime/errors";
import type { Source } from "./source";
import { WEEK_MS } from "../runtime/time";

export interface Target {
  source: Source;
  dimension: Dimension;
  id: string;
  /** Url of a page, name of a section or website, id of anything else. */
  name: string;
  title: string | null;
  /** Id and name, lower case; of a page or section. */
  website: { id: string; name: string } | null;
}

interface RecordDocument {
  id: string;
  name?: string;
  url?: string;
  metadata?: { title: string | null };
  website?: { id: string; name: string };
}

const ID = /^[0-9a-f]{40}$/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const SUGGESTED = 5;

const WORDS: Record<Dimension, string> = {
  P: "page",
  S: "section",
  W: "website",
  A: "audio",
  V: "video",
  PC: "podcast",
};

/** A record that may be meant. */
interface Candidate {
  dimension: DocumentedDimension;
  id: string;
}

/**
 * Finds a record.
 *
 * @param what an id; a url; the name of a website (`rtl.lu`), of a section (`rtl.lu/news/national`), or a url without its scheme
 * @param dimension what is meant, where it is not to be guessed; of a url, its section or website
 * @throws UserError if nothing is known by that name
 */
export async function findTarget(sources: readonly Source[], what: string, dimension?: Dimension): Promise<Target> {
  if (dimension === "A" || dimension === "V" || dimension === "PC") return mediumOf(sources, what, dimension);
  const there: Source[] = [];
  const away: UnavailableError[] = [];
  for (const source of sources) {
    try {
      for (const candidate of await candidatesOf(source, what, dimension)) {
        const target = await readTarget(source, candidate);
        if (target !== undefined) return target;
      }
      there.push(source);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      away.push(error);
    }
  }
  if (there.length === 0 && away.length > 0) throw away[0]!;
  const problem = await unknown(there, what, dimension);
  throw new UserError([problem, ...away.map((error) => `not everything could be asked: ${error.message}`)].join("; "));
}

/** They have no documents: only an id tells which is meant. */
function mediumOf(sources: readonly Source[], what: string, dimension: Dimension): Target {
  if (!ID.test(what))
    throw new UserError(
      `an ${WORDS[dimension]} is named by its id, 40 hex digits (hotpath top shows them); got '${what}'`
        .replace("an video", "a video")
        .replace("an podcast", "a podcast"),
    );
  const id = what.toLowerCase();
  return { source: sources[0]!, dimension, id, name: id, title: null, website: null };
}

async function candidatesOf(
  source: Source,
  what: string,
  dimension: DocumentedDimension | undefined,
): Promise<Candidate[]> {
  const all = ID.test(what)
    ? byId(what.toLowerCase())
    : SCHEME.test(what)
      ? await byUrl(source, what, dimension ?? "P")
      : await byName(source, what);
  return all.filter((each) => dimension === undefined || each.dimension === dimension);
}

function byId(id: string): Candidate[] {
  return (["P", "S", "W"] as const).map((dimension) => ({ dimension, id }));
}

async function byUrl({ functions }: Source, url: string, dimension: DocumentedDimension): Promise<Candidate[]> {
  try {
    const { pageId, sectionId, websiteId } = await functions.identifyUrl({ url });
    return [{ dimension, id: { P: pageId, S: sectionId, W: websiteId }[dimension] }];
  } catch (error) {
    if (error instanceof HotpathError && (error.code === "BADARG" || error.code === "NOTFOUND"))
      throw new UserError(error.message);
    throw error;
  }
}

/** What it may be without a scheme, in this order: a website, a section, a page. */
async function byName(source: Source, what: string): Promise<Candidate[]> {
  const [, website = "", rest = ""] = /^([^/]*)\/?(.*?)\/?$/.exec(what) ?? [];
  const candidates: Candidate[] = [];
  if (website !== "") {
    const named = await source.functions.identifyName({ website, section: rest || "/" });
    if (rest === "" && !what.includes("/")) candidates.push({ dimension: "W", id: named.websiteId });
    if (named.sectionId !== null) candidates.push({ dimension: "S", id: named.sectionId });
  }
  return [...candidates, ...(await byUrl(source, `http://${what}`, "P").catch(ignoreUserError))];
}

function ignoreUserError(error: unknown): Candidate[] {
  if (error instanceof UserError) return [];
  throw error;
}

async function readTarget(source: Source, { dimension, id }: Candidate): Promise<Target | undefined> {
  const json = await source.functions.getDocument({ dimension, id, count: 1 });
  if (json === null) return undefined;
  const { name = "", url = "", metadata, website } = JSON.parse(json) as RecordDocument;
  return {
    source,
    dimension,
    id,
    name: dimension === "P" ? url : dimension === "W" ? name.toLowerCase() : name,
    title: metadata?.title || null,
    website: website === undefined ? null : { id: website.id, name: website.name.toLowerCase() },
  };
}

async function unknown(
  sources: readonly Source[],
  what: string,
  dimension: DocumentedDimension | undefined,
): Promise<string> {
  const sought = dimension === undefined ? "no website, no section and no page" : `no ${WORDS[dimension]}`;
  const known = await someWebsites(sources);
  return `${sought} is known as '${what}'; ${known.length === 0 ? "nothing was counted in the last 7 days" : `websites of the last 7 days: ${known.join(", ")}`}`;
}

/** Names of the most visited websites, to choose from. */
async function someWebsites(sources: readonly Source[]): Promise<string[]> {
  const found: string[] = [];
  for (const source of sources) {
    const toMs = Date.now();
    const answer = await source.functions.rankPg({ dimension: "W", from: toMs - WEEK_MS, to: toMs, count: SUGGESTED });
    for (const [id] of answer?.ranking ?? []) {
      const target = await readTarget(source, { dimension: "W", id });
      if (target !== undefined) found.push(target.name);
    }
  }
  return found.slice(0, SUGGESTED);
}
