/** JSON-LD in a page (schema.org): headline, kicker, section and dates of the article that it describes. */
import { withoutMarkup } from "./text";

/** Texts as they are there; undefined where there is none. */
interface LinkedData {
  headline?: string;
  kicker?: string;
  section?: string;
  published?: string;
  created?: string;
  modified?: string;
}

/** A page's data is a few kilobytes; what is larger or deeper is not read. */
const MAX_LENGTH = 262_144;
const MAX_DEPTH = 6;
const MAX_NODES = 500;

/** What is described, best first: 0 an article, 1 a page, 2 a work of another kind. */
const ARTICLE = /Article$|^(BlogPosting|Report|Review|AnalysisNewsArticle|LiveBlogPosting|SocialMediaPosting)$/;
const PAGE = /Page$/;
const WORK = /^(CreativeWork|VideoObject|AudioObject|PodcastEpisode|Recipe|Event|Episode|Movie|Book)$/;

/** One object of JSON-LD. */
export type Node = Record<string, unknown>;

/**
 * Reads all scripts of a page.
 *
 * @param scripts their texts; what is no JSON is left out
 * @returns of the first article there is, completed by the pages and works after it
 */
export function readLinkedData(scripts: readonly string[]): LinkedData {
  const ranked = readNodes(scripts)
    .map((node, at) => ({ node, at, rank: rankOf(node) }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => a.rank! - b.rank! || a.at - b.at);
  const found: LinkedData = {};
  for (const { node } of ranked) {
    for (const [property, text] of Object.entries(describe(node))) {
      if (text !== undefined) found[property as keyof LinkedData] ??= text;
    }
  }
  return found;
}

/** All objects that the scripts of a page describe, in the order in which they stand. */
export function readNodes(scripts: readonly string[]): Node[] {
  const nodes: Node[] = [];
  for (const script of scripts) collect(parse(script), 0, nodes);
  return nodes;
}

/** The types of an object, without the vocabulary: `Product`. */
export function typesOf(node: Node): string[] {
  return [node["@type"]].flat().map((type) => String(type).replace(/^(https?:\/\/schema\.org\/|schema:)/, ""));
}

function parse(script: string): unknown {
  if (script.length > MAX_LENGTH) return undefined;
  // Some generators wrap their JSON for readers that knew no scripts.
  const text = script.replace(/^\s*(?:<!--|\/\/\s*<!\[CDATA\[)/, "").replace(/(?:-->|\/\/\s*\]\]>)\s*$/, "");
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Objects in the order in which they stand: those of arrays and graphs, and the main one of a page. */
function collect(value: unknown, depth: number, nodes: Node[]): void {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH || nodes.length >= MAX_NODES) return;
  if (Array.isArray(value)) {
    for (const each of value) collect(each, depth + 1, nodes);
    return;
  }
  const node = value as Node;
  nodes.push(node);
  for (const inner of ["@graph", "mainEntity", "mainEntityOfPage"]) collect(node[inner], depth + 1, nodes);
}

function rankOf(node: Node): number | undefined {
  const types = typesOf(node);
  if (types.some((type) => ARTICLE.test(type))) return 0;
  if (types.some((type) => PAGE.test(type))) return 1;
  return types.some((type) => WORK.test(type)) ? 2 : undefined;
}

function describe(node: Node): Record<keyof LinkedData, string | undefined> {
  return {
    headline: text(node["headline"]) ?? text(node["name"]),
    kicker: text(node["kicker"]) ?? text(node["alternativeHeadline"]),
    section: text(node["articleSection"]),
    published: text(node["datePublished"]),
    created: text(node["dateCreated"]),
    modified: text(node["dateModified"]),
  };
}

/** The first text of a value: `"x"`, `["x", …]`, `{"@value": "x"}`. */
export function text(value: unknown, depth = 0): string | undefined {
  if (typeof value === "string") return value.trim() === "" ? undefined : withoutMarkup(value);
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null || depth > 2) return undefined;
  if (!Array.isArray(value)) return text((value as Node)["@value"], depth + 1);
  for (const each of value.slice(0, 10)) {
    const found = text(each, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
