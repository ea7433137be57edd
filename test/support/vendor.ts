import type { ServerResponse } from "node:http";
import { parseVendor } from "../../host/catalog/vendor-config";
import {
  createVendorCourier,
  VendorError,
  type RequestTiming,
  type VendorCourier,
  type VendorCourierOptions,
} from "../../host/catalog/courier/courier";
import { html, startSite, type Handler, type TestSite } from "./web";

export const NEVER = new AbortController().signal;

/** By path with query: a page, or what answers. */
export type Pages = Record<string, string | Handler>;

export const moved =
  (location: string): Handler =>
  (_request, response) =>
    void response.writeHead(302, { location }).end();
export const status =
  (code: number, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(code, headers).end();

/** Answers one after the other; the last one for ever. */
export function inTurn(...answers: (string | Handler)[]): Handler {
  let at = 0;
  return (request, response) => {
    const answer = answers[Math.min(at++, answers.length - 1)]!;
    if (typeof answer === "string") html(response, answer);
    else answer(request, response);
  };
}

/** A shop of the given pages; all others are not there. */
export async function startShop(pages: Pages, robots?: string | Handler): Promise<TestSite> {
  return startSite((request, response: ServerResponse) => {
    const answer = Object.hasOwn(pages, request.url ?? "") ? pages[request.url!]! : status(404);
    if (typeof answer === "string") html(response, answer);
    else answer(request, response);
  }, robots);
}

/** A list of links: `a/1` … */
export const list = (...paths: string[]): string =>
  paths.map((path) => `<div class="item"><a href="${path}">Name of ${path}</a></div>`).join("");

/** A product's page. */
export const product = (sku: string, price = "$3.98", stock = "In stock"): string =>
  `<h1>${sku} Santa</h1><b id="sku">${sku}</b><b id="price">${price}</b><b id="stock">${stock}</b>`;

const RULES = {
  sku: "#sku",
  name: "h1",
  price: { from: "#price" },
  availability: {
    from: "#stock",
    values: [
      { words: ["sold out"], value: "Out of Stock" },
      { words: ["in stock"], value: "In Stock" },
    ],
  },
};

export interface Tested {
  courier: VendorCourier;
  timings: RequestTiming[];
  links(year?: number): Promise<Record<string, string>>;
  /** Product `/p` of the shop, unless another path is given. */
  product(path?: string, more?: object): ReturnType<VendorCourier["product"]>;
}

/** A courier for a shop on loopback that is in no hurry to be polite. */
export function courierFor(
  site: Pick<TestSite, "host">,
  settings: object = {},
  options: Partial<VendorCourierOptions> = {},
): Tested {
  const own = {
    site: `http://${site.host}`,
    years: { from: 2000, to: 2005, page: "/{year}" },
    list: { item: ".item" },
    product: RULES,
    robots: false,
    requestsPerSecond: 1000,
    backoffSeconds: 0,
    allow: ["127.0.0.0/8"],
  };
  const timings: RequestTiming[] = [];
  const config = parseVendor("shop", { ...own, ...settings });
  const courier = createVendorCourier(config, {
    onRequest: (timing) => timings.push(timing),
    log: { debug: () => undefined },
    ...options,
  });
  return {
    courier,
    timings,
    links: (year = 2000) => courier.links(year, NEVER),
    product: (path = "/p", more = {}) =>
      courier.product(
        { url: new URL(path, `http://${site.host}`).href, year: 2000, name: "From the list", ...more },
        NEVER,
      ),
  };
}

/** Why it could not be had. */
export async function failure(fetched: Promise<unknown>): Promise<VendorError> {
  const error: unknown = await fetched.then(
    (found) => new Error(`found ${JSON.stringify(found)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof VendorError)) throw error;
  return error;
}

/** Paths of links, in order. */
export const pathsOf = (links: Record<string, string>): string[] =>
  Object.keys(links).map((url) => new URL(url).pathname + new URL(url).search);
