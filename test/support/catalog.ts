/** The catalogue on a test's server, and replies as what they mean. */
import { decodeRecord, useFunctions, type Argument, type Fields, type TestFunctions } from "./functions";
import type { TestServerOptions } from "./server";
import { sha1 } from "./tracker";

export { DAY, HOUR } from "./time";

/** The vendors of the document. */
export const HALLMARK = "hallmark_ornaments_com";
export const HOOKED = "hookedonhallmark_com";

/** Noon of the day on which the document's latest products were created. */
export const NOON = Date.UTC(2020, 9, 17, 12);

/** A product as it is answered. */
export interface ProductJson {
  id: string;
  vendor: string;
  sku: string;
  name: string;
  price: string | null;
  availability: string | null;
  brand: string | null;
  release_year: number | null;
  link: string | null;
  created_at: number;
  last_synced_at: number;
}

/** A change as it is answered. */
export interface ChangeJson {
  at: number;
  field: string;
  old: string | number | null;
  new: string | number | null;
}

/** A link as it is answered. */
export interface LinkJson {
  url: string;
  name: string;
  year: number;
  checked_at: number | null;
  scraped_at: number | null;
  status: number | null;
  failures: number | null;
  outcome: string | null;
  etag: string | null;
  modified: string | null;
  product: string | null;
  reason: string | null;
}

export interface Upserted {
  id: string;
  outcome: string;
  fields: string[];
}

/** The catalogue's functions on the file's server. */
export interface TestCatalog extends TestFunctions {
  upsert(vendor: string, product: object, nowMs: number): Promise<Upserted>;
  product(id: string): Promise<ProductJson | null>;
  /** Total and ids. */
  find(...args: Argument[]): Promise<{ total: number | null; ids: string[] }>;
  history(id: string, ...args: Argument[]): Promise<ChangeJson[]>;
  links(vendor: string, ...args: Argument[]): Promise<{ total: number; links: LinkJson[] }>;
  /** What get_catalog_status answers of a vendor. */
  status(vendor: string, ...args: Argument[]): Promise<Fields>;
}

/** The id of a product. */
export const idOf = (vendor: string, sku: string): string => sha1(`${vendor}/${sku}`);

/** A server for the file with the built catalogue in it. Call it where `useServer` may be called. */
export function useCatalog(options: TestServerOptions = {}): TestCatalog {
  const functions = useFunctions("catalog", options);
  return Object.assign(functions, {
    upsert: async (vendor: string, product: object, nowMs: number) =>
      decodeRecord(
        await functions.call("upsert_product", vendor, JSON.stringify(product), "NOW", nowMs),
      ) as unknown as Upserted,
    product: async (id: string) =>
      JSON.parse(((await functions.read("get_product", id)) as string | null) ?? "null") as ProductJson | null,
    find: async (...args: Argument[]) => {
      const [total, ...ids] = (await functions.read("find_products", ...args)) as [number | null, ...string[]];
      return { total, ids };
    },
    history: async (id: string, ...args: Argument[]) =>
      ((await functions.read("get_history", "product", id, ...args)) as string[]).map(
        (each) => JSON.parse(each) as ChangeJson,
      ),
    links: async (vendor: string, ...args: Argument[]) => {
      const [total, ...links] = (await functions.read("list_links", vendor, ...args)) as [number, ...string[]];
      return { total, links: links.map((each) => JSON.parse(each) as LinkJson) };
    },
    status: async (vendor: string, ...args: Argument[]) => {
      const [found] = (await functions.read("get_catalog_status", "VENDOR", vendor, ...args)) as unknown[];
      return decodeRecord(found);
    },
  });
}
