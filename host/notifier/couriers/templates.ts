/** Subject and text of a notification: Mustache templates (https://mustache.github.io), for plain text. */
import Mustache from "mustache";
import { printable } from "../../terminal/format";
import type { Notification } from "./courier";

export interface Templates {
  subject: string;
  text: string;
  /** So many items are listed; `more` says how many are not. */
  maxItems: number;
}

export const DEFAULT_SUBJECT = "{{topic}}: {{count}} for {{subject}}";
export const DEFAULT_TEXT = `{{count}} {{topic}} for {{subject}}, from {{firstAt}} to {{lastAt}}:

{{#items}}
- {{.}}
{{/items}}
{{#more}}
and {{more}} more
{{/more}}
`;
export const DEFAULT_MAX_ITEMS = 100;

/** What a template may name. */
const NAMES = ["id", "topic", "subject", "count", "items", "more", "firstAt", "lastAt", "attempt"] as const;

type View = Record<(typeof NAMES)[number], unknown>;

/** Of an item or a subject; the whole is in the JSON of webhooks. */
const MAX_VALUE = 200;

/**
 * Checks a template.
 *
 * @throws Error that says what is wrong: a tag that is not closed, a name that does not exist
 */
export function checkTemplate(template: string): void {
  for (const name of namesOf(Mustache.parse(template) as Token[])) {
    if (name !== "." && !(NAMES as readonly string[]).includes(name)) {
      throw new Error(`there is no {{${name}}}, only ${NAMES.join(", ")}`);
    }
  }
}

/**
 * Fills a template in. Nothing is escaped, because nothing of this is HTML; control characters are replaced, so that an item
 * stays on its line.
 */
export function render(template: string, notification: Notification, maxItems: number): string {
  return Mustache.render(template, viewOf(notification, maxItems), undefined, { escape: String });
}

function viewOf({ id, topic, subject, items, firstAt, lastAt, attempt }: Notification, maxItems: number): View {
  return {
    id,
    topic,
    subject: inline(subject),
    count: items.length,
    items: items.slice(0, maxItems).map(inline),
    more: Math.max(0, items.length - maxItems),
    firstAt: utc(firstAt),
    lastAt: utc(lastAt),
    attempt,
  };
}

function inline(value: string): string {
  return printable(value.length <= MAX_VALUE ? value : `${value.slice(0, MAX_VALUE - 1)}…`);
}

/** `2026-11-20 12:00:00 UTC` */
function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** As Mustache parses: kind, name or text, start, end, and of a section what it holds. */
type Token = [kind: string, value: string, start: number, end: number, inner?: Token[] | string];

function* namesOf(tokens: readonly Token[]): Generator<string> {
  for (const [kind, value, , , inner] of tokens) {
    if (kind === ">") throw new Error(`{{>${value}}}: there are no partials`);
    if (kind !== "text" && kind !== "!" && kind !== "=") yield value;
    if (Array.isArray(inner)) yield* namesOf(inner);
  }
}
