/** Applies the rules of a vendor's configuration to a page. */
import type { Rule } from "../vendor-rules";
import { text as linkedText } from "../../fetch/json-ld";
import { oneSpace, select, textOf, type Page, type Scope } from "./dom";

const MAX_TEXT = 4000;

/**
 * All texts that the first rule that finds any finds, in the order of the page.
 *
 * @param scope selectors look within it: the page, or one item of a list
 */
export function findTexts(rules: readonly Rule[], scope: Scope, page: Page): string[] {
  for (const rule of rules) {
    const found = [...textsOf(rule, scope, page)];
    if (found.length > 0) return found;
  }
  return [];
}

/** The first text that the rules find. */
export function findText(rules: readonly Rule[], scope: Scope, page: Page): string | undefined {
  for (const rule of rules) {
    for (const found of textsOf(rule, scope, page)) return found;
  }
  return undefined;
}

function* textsOf(rule: Rule, scope: Scope, page: Page): Generator<string, void> {
  for (const source of sourcesOf(rule, scope, page)) {
    const found = refine(rule, source);
    if (found !== undefined && found !== "") yield found.slice(0, MAX_TEXT);
  }
}

function* sourcesOf(
  { value, linkedData, select: selector, attribute }: Rule,
  scope: Scope,
  page: Page,
): Generator<string, void> {
  if (value !== undefined) {
    yield value;
  } else if (linkedData !== undefined) {
    for (const product of page.linkedProducts) yield linkedText(valueAt(product, linkedData.split("."))) ?? "";
  } else {
    for (const element of selector === undefined ? [scope] : select(scope, selector)) {
      if (attribute === undefined) yield textOf(element);
      else if ("attribs" in element && Object.hasOwn(element.attribs, attribute)) yield element.attribs[attribute]!;
    }
  }
}

function refine({ match, json }: Rule, source: string): string | undefined {
  const text = match === undefined ? source : cutOut(source, match);
  if (text === undefined) return undefined;
  if (json === undefined) return oneSpace(text);
  const property = valueAt(parse(text), json.split("."));
  return ["string", "number", "boolean"].includes(typeof property) ? oneSpace(String(property)) : undefined;
}

function cutOut(source: string, match: RegExp): string | undefined {
  const found = match.exec(source);
  return found ? (found[1] ?? found[0]) : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What is at a path; of a list that the path does not number, in the first part that has it. */
function valueAt(value: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.hasOwn(value, name)) return valueAt((value as Record<string, unknown>)[name], rest);
  if (!Array.isArray(value)) return undefined;
  for (const part of value.slice(0, 100)) {
    const found = valueAt(part, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first number of four digits that may be a year: `1973` of `1973 Hallmark Ornaments`. */
export function yearOf(text: string): number | undefined {
  const found = /(?<!\d)(?:1[89]|20|21)\d\d(?!\d)/.exec(text);
  return found ? Number(found[0]) : undefined;
}
