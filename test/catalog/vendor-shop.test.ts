import { setMaxListeners } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import type { VendorConfig } from "../../host/catalog/vendor-config";
import {
  createVendorCourier,
  type ProductInput,
  type ProductLink,
  type RequestTiming,
  type Validators,
  type VendorCourier,
} from "../../host/catalog/courier/courier";
import { countsByYear } from "../../demo/catalog/figures";
import {
  FRONTS,
  openShop,
  USUAL_TROUBLES,
  type Shop,
  type ShopOptions,
  type ShopRequest,
} from "../../demo/catalog/shop";
import { loopbackVendor } from "../../demo/catalog/vendors";

const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);

interface OpenShop {
  shop: Shop;
  config: VendorConfig;
  courier: VendorCourier;
  requests: ShopRequest[];
  timings: RequestTiming[];
}

async function open(vendor: string, options: Partial<ShopOptions> = {}, settings: object = {}): Promise<OpenShop> {
  const requests: ShopRequest[] = [];
  const timings: RequestTiming[] = [];
  const front = FRONTS.find((each) => each.vendor === vendor)!;
  const shop = await openShop(front, {
    seed: 7,
    scale: 0.02,
    from: 1983,
    to: 1988,
    onRequest: (request) => requests.push(request),
    ...options,
  });
  onTestFinished(() => shop.close());
  const config = loopbackVendor(shop, settings);
  const courier = createVendorCourier(config, {
    onRequest: (timing) => timings.push(timing),
    log: { debug: () => undefined },
  });
  return { shop, config, courier, requests, timings };
}

async function allLinks({ courier }: OpenShop): Promise<ProductLink[]> {
  const years = await Promise.all(
    courier
      .years()
      .map(async (year) =>
        Object.entries(await courier.links(year, NEVER)).map(([url, name]) => ({ url, year, name })),
      ),
  );
  return years.flat();
}

interface Fetched {
  products: ProductInput[];
  validators: Map<string, Validators>;
  unchanged: number;
  gone: string[];
}

/** Fetches products as a queue does: what fails in passing is tried again. */
async function fetchAll(
  { courier }: OpenShop,
  links: ProductLink[],
  known = new Map<string, Validators>(),
): Promise<Fetched> {
  const fetched: Fetched = { products: [], validators: new Map(), unchanged: 0, gone: [] };
  const one = async (link: ProductLink): Promise<void> => {
    const validators = known.get(link.url);
    const found = await again(() => courier.product({ ...link, ...(validators && { validators }) }, NEVER));
    if (found.outcome === "unchanged") fetched.unchanged += 1;
    else if (found.outcome === "gone") fetched.gone.push(link.url);
    else {
      fetched.products.push(found.product);
      if (found.validators) fetched.validators.set(link.url, found.validators);
    }
  };
  await Promise.all(links.map(one));
  return fetched;
}

async function again<T>(fetch: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fetch();
    } catch (error) {
      if ((error as { permanent?: boolean }).permanent !== false || attempt === 5) throw error;
    }
  }
}

const bySku = <T extends { sku: string }>(products: T[]): T[] => [...products].sort((a, b) => (a.sku < b.sku ? -1 : 1));

describe.each(FRONTS.map(({ vendor }) => vendor))("%s", (vendor) => {
  it("is read whole: each product of each year, with name, price, year and availability as they are", async () => {
    const opened = await open(vendor);
    const { shop, courier } = opened;
    expect(courier.vendor).toBe(vendor);
    expect(courier.years()).toEqual(shop.stock.years);
    const links = await allLinks(opened);
    expect(links.map(({ url, year, name }) => ({ url, year, name })).sort(byUrl)).toEqual(
      shop.stock.items.map((item) => ({ url: shop.expected(item).link, year: item.year, name: item.name })).sort(byUrl),
    );
    const { products } = await fetchAll(opened, links);
    expect(bySku(products)).toEqual(bySku(shop.stock.items.map((item) => shop.expected(item))));
    // Else the test would say little of the rules.
    const availabilities = new Set(products.map(({ availability }) => availability));
    expect(availabilities.size).toBe(FRONTS.find((front) => front.vendor === vendor)!.availabilities.length);
    expect(products.some(({ name }) => /[&<“é]/i.test(name))).toBe(true);
  });

  it("is read whole through errors, refusals and slow answers", async () => {
    const troubles = { error: 0.1, busy: 0, slow: 0.1, slowMs: 20 };
    const opened = await open(vendor, { from: 1985, to: 1986, scale: 0.01, troubles });
    const { products } = await fetchAll(opened, await allLinks(opened));
    expect(bySku(products)).toEqual(bySku(opened.shop.stock.items.map((item) => opened.shop.expected(item))));
    expect(opened.requests.some(({ status }) => status === 500)).toBe(true);
  });

  it("tells what has not changed, what has, and what is gone", async () => {
    const opened = await open(vendor, { scale: 0.01 });
    const { shop, requests } = opened;
    const links = await allLinks(opened);
    const { validators } = await fetchAll(opened, links);
    expect(validators.size).toBe(links.length);
    const gone = shop.stock.withdraw(0.05).map((item) => shop.expected(item).link);
    const changed = [...new Set(shop.stock.change(0.1, Date.now()).map(({ item }) => item))];
    requests.length = 0;
    const second = await fetchAll(opened, links, validators);
    expect(bySku(second.products)).toEqual(bySku(changed.map((item) => shop.expected(item))));
    expect(second.gone.sort()).toEqual(gone.sort());
    expect(second.unchanged).toBe(links.length - gone.length - changed.length);
    expect(requests.filter(({ status }) => status === 304).length).toBe(second.unchanged);
    const left = (await allLinks(opened)).map(({ url }) => url);
    expect(left.length).toBe(links.length - gone.length);
    expect(left.filter((url) => gone.includes(url))).toEqual([]);
  });

  it("reports each request, robots.txt included, and asks for robots.txt once", async () => {
    const opened = await open(vendor, { from: 1973, to: 1975 });
    await fetchAll(opened, await allLinks(opened));
    const { requests, timings, shop } = opened;
    expect(requests.filter(({ path }) => path === "/robots.txt").length).toBe(1);
    const pathOf = (path: string): string => new URL(path, shop.origin).href.replace(/\?.*/, "");
    expect(timings.map(({ url }) => url).sort()).toEqual(requests.map(({ path }) => pathOf(path)).sort());
    for (const { status, firstByteMs, totalMs } of timings) {
      expect(status).toBe(200);
      expect(firstByteMs).toBeGreaterThan(0);
      expect(totalMs).toBeGreaterThanOrEqual(firstByteMs);
    }
    // The page that names the years is fetched once for all of them.
    const index = new URL(opened.config.years.index!.url, shop.origin).pathname;
    expect(requests.filter(({ path }) => path === index).length).toBe(1);
  });
});

const byUrl = (a: { url: string }, b: { url: string }): number => (a.url < b.url ? -1 : 1);

describe("the shops", () => {
  it("have as many products as the document's figures say", () => {
    const counts = countsByYear({ from: 1973, to: 2020, total: 10_270, scale: 1 });
    expect([...counts].slice(0, 4)).toEqual([
      [1973, 21],
      [1974, 19],
      [1975, 30],
      [1976, 49],
    ]);
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(10_270);
    expect(Math.min(...counts.values())).toBeGreaterThan(0);
  });

  it("are the same for the same seed, and change in the same way", async () => {
    const [one, two, other] = await Promise.all(
      [{}, {}, { seed: 8 }].map((options) => open("hookedonhallmark_com", options)),
    );
    const namesOf = ({ shop }: OpenShop): string[] => shop.stock.items.map(({ name, cents }) => `${name} ${cents}`);
    expect(namesOf(one!)).toEqual(namesOf(two!));
    expect(namesOf(one!)).not.toEqual(namesOf(other!));
    const changesOf = ({ shop }: OpenShop) =>
      shop.stock.change(0.1, 0).map(({ item, ...change }) => ({ sku: item.sku, ...change }));
    expect(changesOf(one!)).toEqual(changesOf(two!));
  });

  it("fail as often as they are told, and are well the second time", async () => {
    const { shop, requests } = await open("ornament_shop_com", {
      scale: 0.05,
      troubles: { ...USUAL_TROUBLES, slow: 0, error: 0.2, busy: 0.1 },
    });
    const statusOf = async (item: Shop["stock"]["items"][number]) => (await fetch(shop.expected(item).link)).status;
    const items = shop.stock.items.slice(0, 150);
    for (const item of items) await statusOf(item);
    const failed = new Set(requests.filter(({ status }) => status !== 200).map(({ path }) => path));
    expect(failed.size).toBeGreaterThan(20);
    expect(failed.size).toBeLessThan(75);
    requests.length = 0;
    for (const item of items) await statusOf(item);
    expect(requests.filter(({ status }) => status !== 200)).toEqual([]);
  });
});
