/** What is a page, and what is something else. */
import { PageFailure } from "./failure";
import type { Answer } from "./request";

export const ACCEPT_HTML = "text/html, application/xhtml+xml;q=0.9";

const HTML = /^\s*(text\/html|application\/xhtml\+xml)\s*(;|$)/i;

/**
 * Fails for anything but HTML; what has no type is taken for it.
 *
 * @returns the Content-Type
 */
export function requireHtml(answer: Answer, url: URL): string | undefined {
  const contentType = answer.header("content-type");
  if (contentType === undefined || HTML.test(contentType)) return contentType;
  throw new PageFailure("type", `${url.host}${url.pathname} is ${contentType.slice(0, 100)}, not HTML`);
}
