/** The catalogue on a test's server, and replies as what they mean. */
import { readFileSync } from "node:fs";
import { beforeAll } from "vitest";
import type { Declaration } from "../../functions/runtime/declare";
import { useServer, type TestClient, type TestServer, type TestServerOptions } from "./server";
import { decodeRecord, refusalOf, sha1, type Argument, type Fields } from "./tracker";

/** The vendors of the document. */
export const HALLMARK = "hallmark_ornaments_com";
export const HOOKED = "hookedonhallmark_com";

/** Noon of the day on which the document's latest products were created. */
export const NOON = Date.UTC(2020, 9, 17, 12);
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

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
export interface TestCatalog {
  readonly server: TestServer;
  readonly client: TestClient;
  call(name: string, ...args: Argument[]): Promise<unknown>;
  read(name: string, ...args: Argument[]): Promise<unknown>;
  routed(keys: string[], name: string, ...args: Argument[]): Promise<unknown>;
  record(name: string, ...args: Argument[]): Promise<Fields>;
  refusal(name: string, ...args: Argument[]): Promise<string | undefined>;
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

/** Loads the library that the build has made. */
export async function loadCatalog(client: TestClient): Promise<void> {
  const code = readFileSync(new URL("../../dist/catalog.lua", import.meta.url), "utf8");
  await client.sendCommand(["FUNCTION", "LOAD", "REPLACE", code]);
}

/** The catalogue's functions by their declarations. */
export function readCatalogManifest(): Declaration[] {
  const { libraries } = JSON.parse(readFileSync(new URL("../../dist/manifest.json", import.meta.url), "utf8")) as {
    libraries: { name: string; functions: Declaration[] }[];
  };
  return libraries.find(({ name }) => name === "catalog")!.functions;
}

const encode = (argument: Argument): string | Buffer => (typeof argument === "number" ? String(argument) : argument);

/** A server for the file with the built catalogue in it. Call it where `useServer` may be called. */
export function useCatalog(options: TestServerOptions = {}): TestCatalog {
  const server = useServer(options);
  beforeAll(() => loadCatalog(server.client));
  const send = (command: "FCALL" | "FCALL_RO", keys: string[], name: string, args: Argument[]): Promise<unknown> =>
    server.client.sendCommand([command, name, String(keys.length), ...keys, ...args.map(encode)]);
  const call = (name: string, ...args: Argument[]): Promise<unknown> => send("FCALL", [], name, args);
  const read = (name: string, ...args: Argument[]): Promise<unknown> => send("FCALL_RO", [], name, args);
  return {
    server,
    get client() {
      return server.client;
    },
    call,
    read,
    routed: (keys, name, ...args) => send("FCALL", keys, name, args),
    record: async (name, ...args) => decodeRecord(await call(name, ...args)),
    refusal: (name, ...args) => refusalOf(call(name, ...args)),
    upsert: async (vendor, product, nowMs) =>
      decodeRecord(await call("upsert_product", vendor, JSON.stringify(product), "NOW", nowMs)) as unknown as Upserted,
    product: async (id) => JSON.parse(((await read("get_product", id)) as string | null) ?? "null") as ProductJson | null,
    find: async (...args) => {
      const [total, ...ids] = (await read("find_products", ...args)) as [number | null, ...string[]];
      return { total, ids };
    },
    history: async (id, ...args) => ((await read("get_history", "product", id, ...args)) as string[]).map((each) => JSON.parse(each) as ChangeJson),
    links: async (vendor, ...args) => {
      const [total, ...links] = (await read("list_links", vendor, ...args)) as [number, ...string[]];
      return { total, links: links.map((each) => JSON.parse(each) as LinkJson) };
    },
    status: async (vendor, ...args) => {
      const [found] = (await read("get_catalog_status", "VENDOR", vendor, ...args)) as unknown[];
      return decodeRecord(found);
    },
  };
}
