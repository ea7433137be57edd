/** The shops of the three vendors on loopback, each as unreliable as a real one at times. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pause } from "../../host/runtime/wait";
import { seededRandom } from "../tracker/random";
import { countsByYear } from "./figures";
import type { Front, ShopPage } from "./fronts/front";
import { hallmarkOrnaments } from "./fronts/hallmark-ornaments";
import { hookedOnHallmark } from "./fronts/hooked-on-hallmark";
import { ornamentShop } from "./fronts/ornament-shop";
import { amountOf, hash, Stock, type StockItem } from "./stock";

/** One request, as the shop saw it. */
export interface ShopRequest {
  /** With its query. */
  path: string;
  status: number;
}

/** How often what goes wrong, 0 to 1. A page that failed is well the next time. */
export interface Troubles {
  /** Answers 500. */
  error: number;
  /** Answers 429 and wants to be left alone for a second. */
  busy: number;
  /** Is slow with its first byte. */
  slow: number;
  slowMs: number;
}

export interface ShopOptions {
  seed: number;
  /** Share of the products of the real shop: 1 for all of them. */
  scale: number;
  /** Years it has, both included. */
  from: number;
  to: number;
  troubles?: Troubles;
  onRequest?: (request: ShopRequest) => void;
}

export interface Shop {
  vendor: string;
  /** `http://127.0.0.1:port` */
  origin: string;
  port: number;
  stock: Stock;
  /** What a product's page says, as the catalog has it. */
  expected(item: StockItem): {
    sku: string;
    name: string;
    price: string;
    availability: string;
    brand: string;
    release_year: number;
    link: string;
  };
  close(): void;
}

export const FRONTS: readonly Front[] = [hallmarkOrnaments, hookedOnHallmark, ornamentShop];

export const USUAL_TROUBLES: Troubles = { error: 0.01, busy: 0.001, slow: 0.02, slowMs: 120 };

/** Opens a shop for each of the three vendors. */
export async function openShops(options: ShopOptions): Promise<Shop[]> {
  return Promise.all(FRONTS.map((front) => openShop(front, options)));
}

export async function openShop(front: Front, options: ShopOptions): Promise<Shop> {
  const { seed, scale, from, to, onRequest } = options;
  const counts = countsByYear({ from, to, total: front.total, scale });
  const stock = new Stock({
    vendor: front.vendor,
    seed,
    counts,
    availabilities: front.availabilities,
    nowMs: Date.now(),
  });
  const visits = new Map<string, number>();
  const shop: Shop = {
    vendor: front.vendor,
    origin: "",
    port: 0,
    stock,
    expected: (item) => ({
      sku: item.sku,
      name: item.name,
      price: amountOf(item.cents),
      availability: item.availability,
      brand: "Hallmark",
      release_year: item.year,
      link: `${shop.origin}${front.path(item)}`,
    }),
    close: () => undefined,
  };
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    response.once("finish", () => onRequest?.({ path, status: response.statusCode }));
    const visit = (visits.get(path) ?? 0) + 1;
    visits.set(path, visit);
    void serve(front, shop, options, visit, request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  shop.port = (server.address() as AddressInfo).port;
  shop.origin = `http://127.0.0.1:${shop.port}`;
  shop.close = () => {
    server.close();
    server.closeAllConnections();
  };
  return shop;
}

async function serve(
  front: Front,
  shop: Shop,
  { troubles, seed }: ShopOptions,
  visit: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url ?? "/";
  if (path === "/robots.txt") return void response.writeHead(200, { "content-type": "text/plain" }).end(front.robots);
  // By address and visit, not by the order in which requests come: the same for every run.
  const random = seededRandom(hash(`${seed}/${shop.vendor}${path}`) + visit);
  if (troubles && visit % 2 === 1) {
    if (random() < troubles.error) return void response.writeHead(500).end("something broke\n");
    if (random() < troubles.busy) return void response.writeHead(429, { "retry-after": "1" }).end();
    if (random() < troubles.slow) await pause(troubles.slowMs);
  }
  const page = front.page(new URL(path, shop.origin), shop.stock);
  if (page) answer(front, page, request, response);
  else response.writeHead(404, { "content-type": "text/html" }).end("<h1>Not here</h1>");
}

function answer(front: Front, page: ShopPage, { headers }: IncomingMessage, response: ServerResponse): void {
  const own: Record<string, string> = { "content-type": "text/html; charset=utf-8" };
  const etag = `"${createHash("sha1").update(page.html).digest("hex").slice(0, 16)}"`;
  const isVersioned = page.changedAtMs !== undefined;
  if (isVersioned && front.versions !== "last-modified") own["etag"] = etag;
  if (isVersioned && front.versions !== "etag") own["last-modified"] = new Date(page.changedAtMs!).toUTCString();
  const { "if-none-match": known, "if-modified-since": since } = headers;
  const isKnown =
    known === undefined ? Date.parse(since ?? "") >= (page.changedAtMs ?? Infinity) : known === own["etag"];
  if (isVersioned && isKnown) response.writeHead(304, own).end();
  else response.writeHead(200, own).end(page.html);
}
