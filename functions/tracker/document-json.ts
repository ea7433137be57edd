/** Documents as JSON: what get_document answers. */
import { choice, command, integer, jsonReply, nullable, recordId } from "../runtime/declare";
import { jsonNumber, jsonText } from "../runtime/json";
import { onKey } from "../runtime/types";
import { isUtf8 } from "../runtime/utf8";
import * as names from "./names";
import { articleNumber, directories, DIRECTORY_LEVELS, escapeNonUtf8, pathOf, SECTION_LEVELS } from "./url";

const MAX_LISTED = 1000;

/** A JSON array is put together from text: cjson would print an empty one as an object. */
function jsonArray(items: string[]): string {
  return `[${items.join(",")}]`;
}

/** Text as a JSON string. Bytes of an address that are no UTF-8 are shown as the percent escapes they would have been sent as. */
function jsonString(text: string): string {
  return jsonText(isUtf8(text) ? text : escapeNonUtf8(text));
}

/** A member's JSON from its id and the time of its last visit. */
type RenderMember = (this: void, id: string, lastVisited: string) => string;

/** The most recently visited members, each rendered. */
function mostRecent(set: string, count: number, render: RenderMember): string {
  const flat = onKey("ZRANGE", set, 0, count - 1, "REV", "WITHSCORES");
  const items: string[] = [];
  for (const at of $range(1, flat.length, 2)) items.push(render(flat[at - 1]!, flat[at]!));
  return jsonArray(items);
}

const renderSectionOf: RenderMember = (id, lastVisited) => {
  const name = onKey("HGET", names.document("S", id), "name");
  return `{"id":"${id}","name":${jsonString(name === false ? "" : name)},"last_visited":${lastVisited}}`;
};

const renderPageOf: RenderMember = (id, lastVisited) => {
  const found = onKey("HGET", names.document("P", id), "url");
  const url = found === false ? "" : found;
  return `{"id":"${id}","url":${jsonString(url)},"article_id":${articleOf(url)},"last_visited":${lastVisited}}`;
};

function articleOf(url: string): string {
  return jsonNumber(articleNumber(url));
}

function renderLevels(directoryNames: string[]): string {
  const levels = ['"level_0":"/"'];
  for (const level of $range(1, DIRECTORY_LEVELS)) {
    levels.push(`"level_${level}":${jsonString(directoryNames[level - 1] ?? "")}`);
  }
  return `{${levels.join(",")}}`;
}

function renderWebsiteOf(websiteId: string): string {
  const name = onKey("HGET", names.document("W", websiteId), "name");
  return `{"id":"${websiteId}","name":${jsonString(string.upper(name === false ? "" : name))}}`;
}

function renderWebsite(id: string, count: number): string | undefined {
  const [name] = onKey("HMGET", names.document("W", id), "name");
  if (name === false || name === undefined) return undefined;
  const visited = onKey("ZSCORE", names.websites(), id);
  const sections = mostRecent(names.sectionsOfWebsite(id), count, renderSectionOf);
  const pages = mostRecent(names.pagesOf("W", id), count, renderPageOf);
  const head = `"id":"${id}","name":${jsonString(string.upper(name))},"last_visited":${jsonNumber(visited)}`;
  return `{${head},"sections":${sections},"pages":${pages}}`;
}

function renderSection(id: string, count: number): string | undefined {
  const [name, websiteId, path] = onKey("HMGET", names.document("S", id), "name", "website", "path");
  if (name === false || name === undefined) return undefined;
  const website = websiteId as string;
  const visited = onKey("ZSCORE", names.sectionsOfWebsite(website), id);
  const levels = renderLevels(directories(path as string, SECTION_LEVELS));
  const pages = mostRecent(names.pagesOf("S", id), count, renderPageOf);
  const head = `"id":"${id}","name":${jsonString(name)},"levels":${levels},"last_visited":${jsonNumber(visited)}`;
  return `{${head},"website":${renderWebsiteOf(website)},"pages":${pages}}`;
}

function renderMetadata(title: string | false, kicker: string | false, displayDate: string | false): string {
  const text = (value: string | false): string => (value === false ? "null" : jsonString(value));
  return `{"title":${text(title)},"kicker":${text(kicker)},"display_date":${jsonNumber(displayDate)}}`;
}

function renderPage(id: string): string | undefined {
  const [url, websiteId, sectionId, title, kicker, displayDate] = onKey(
    "HMGET",
    names.document("P", id),
    "url",
    "website",
    "section",
    "title",
    "kicker",
    "display_date",
  ) as [string | false, string, string, string | false, string | false, string | false];
  if (url === false) return undefined;
  const visited = onKey("ZSCORE", names.pagesOf("S", sectionId), id);
  const sectionName = onKey("HGET", names.document("S", sectionId), "name");
  const levels = renderLevels(directories(pathOf(url), DIRECTORY_LEVELS));
  const head =
    `"id":"${id}","url":${jsonString(url)},"article_id":${articleOf(url)}` + `,"last_visited":${jsonNumber(visited)}`;
  const section =
    `{"id":"${sectionId}","name":${jsonString(sectionName === false ? "" : sectionName)}` + `,"levels":${levels}}`;
  const metadata = renderMetadata(title, kicker, displayDate);
  return `{${head},"metadata":${metadata},"website":${renderWebsiteOf(websiteId)},"section":${section}}`;
}

export const getDocument = command(
  {
    name: "get_document",
    summary: "The document of a website, a section or a page",
    doc:
      "`name` of a website is upper case; `levels` of a section are its own directories, those of a page's section " +
      "all directories of the page, up to four; `metadata` is null until the page was enriched.",
    role: "reader",
    flags: ["no-writes"],
    positional: [
      { name: "dimension", type: choice(["W", "S", "P"]), doc: "website, section or page" },
      { name: "id", type: recordId, doc: "id of the record" },
    ],
    options: [
      {
        name: "COUNT",
        type: integer(1, MAX_LISTED),
        default: 100,
        doc: "how many sections and pages to list, most recently visited first",
      },
    ],
    reply: nullable(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "the document; its kind is that of the dimension", schema: "Document" },
  },
  ({ dimension, id, count }) => {
    if (dimension === "W") return renderWebsite(id, count);
    if (dimension === "S") return renderSection(id, count);
    return renderPage(id);
  },
);
