/** A page as a tree, and texts of it. */
import { selectAll } from "css-select";
import { DomHandler, ElementType, Parser, type parseDocument } from "htmlparser2";
import { readNodes, typesOf, type Node as LinkedNode } from "../../fetch/json-ld";
import { VendorError } from "./types";

export type Document = ReturnType<typeof parseDocument>;
type AnyNode = Document["children"][number];
type Element = Extract<AnyNode, { attribs: unknown }>;
/** Where rules look: the page, or an element of it. */
export type Scope = Document | Element;

/** Where browsers stop nesting as well; with no limit a few megabytes of `<b>` would keep a selector busy for hours. */
const MAX_DEPTH = 512;
/** Texts that are longer are cut: an inline script is the longest that is read. */
const MAX_TEXT = 262_144;
const MAX_MATCHES = 10_000;
const MAX_SCRIPTS = 50;

/** Elements that stand on lines of their own: texts of two of them are two words. */
const BLOCK =
  /^(address|article|aside|blockquote|br|caption|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|option|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul)$/;

class BoundedHandler extends DomHandler {
  override onopentag(name: string, attributes: Record<string, string>): void {
    if (this.tagStack.length > MAX_DEPTH) {
      throw new VendorError("layout", `the page is nested deeper than ${MAX_DEPTH} elements`, { permanent: true });
    }
    super.onopentag(name, attributes);
  }
}

/** A page that is read. */
export class Page {
  #products: LinkedNode[] | undefined;
  #base: URL | undefined;

  /**
   * @param url after redirects
   * @param isCut its end is missing
   */
  constructor(
    readonly document: Document,
    readonly url: URL,
    readonly isCut: boolean,
  ) {}

  /**
   * @throws VendorError for a page that is nested too deep
   */
  static parse(html: string, url: URL, isCut: boolean): Page {
    const handler = new BoundedHandler();
    const parser = new Parser(handler);
    parser.end(html);
    return new Page(handler.root, url, isCut);
  }

  /** What its relative addresses are relative to. */
  get base(): URL {
    return (this.#base ??= this.#readBase());
  }

  #readBase(): URL {
    const href = select(this.document, "base[href]")[0]?.attribs["href"] ?? "";
    return URL.canParse(href, this.url.href) ? new URL(href, this.url.href) : this.url;
  }

  /** What the page's JSON-LD says of products, in the order in which it does. */
  get linkedProducts(): readonly LinkedNode[] {
    return (this.#products ??= this.#readProducts());
  }

  #readProducts(): LinkedNode[] {
    const scripts = select(this.document, 'script[type^="application/ld+json" i]').slice(0, MAX_SCRIPTS).map(textOf);
    return readNodes(scripts).filter((node) =>
      typesOf(node).some((type) => /^(Product|ProductGroup|IndividualProduct|ProductModel)$/.test(type)),
    );
  }
}

/** Elements within a scope, in the order of the page. */
export function select(scope: Scope, selector: string): Element[] {
  const found = selectAll<AnyNode | Document, Element>(selector, scope, { context: scope });
  return found.length > MAX_MATCHES ? found.slice(0, MAX_MATCHES) : found;
}

/** The text of an element as it is shown, in one line; of a script or a style, what is in it. */
export function textOf(scope: Scope): string {
  const pieces: string[] = [];
  const raw = isRaw(scope);
  collect(scope, raw, pieces, { left: MAX_TEXT });
  return raw ? pieces.join("") : oneSpace(pieces.join(""));
}

export function oneSpace(text: string): string {
  return text.replace(/[\s\u200B\uFEFF]+/g, " ").trim();
}

function isRaw(node: AnyNode | Document): boolean {
  return node.type === ElementType.Script || node.type === ElementType.Style;
}

function collect(node: AnyNode | Document, raw: boolean, pieces: string[], room: { left: number }): void {
  if (room.left <= 0) return;
  if (node.type === ElementType.Text) {
    pieces.push(node.data.slice(0, room.left));
    room.left -= node.data.length;
  } else if ("children" in node && (raw || !isRaw(node))) {
    const isBlock = "name" in node && BLOCK.test(node.name);
    if (isBlock) pieces.push(" ");
    for (const child of node.children) collect(child, raw, pieces, room);
    if (isBlock) pieces.push(" ");
  }
}
