/** The catalogue's products: a first sync, an hourly one in which little changes, and one in which every price does. */
import { readInfo } from "../../../host/redis/info";
import type { Bench } from "../bench";
import { interleave, rateOf, ratioOf, type Samples, type Side } from "../measure";
import { COMPILED, withTwin, type LibraryName } from "../libraries";
import { encode } from "../pipeline";
import { bytes, milliseconds, perSecond, type Findings, type Group, type Row } from "../row";
import { requireSame, takePicture, type Picture } from "../same-data";
import { restore, save } from "../saved";
import { random, sha1 } from "../traffic";
import { HOUR_MS } from "../../../host/runtime/time";

const VENDOR = "hallmark_ornaments_com";
const FIRST_YEAR = 1973;
const YEARS = 48;
/** One product in a hundred has another price an hour later. */
const CHANGED_SHARE = 100;

interface BenchProduct {
  sku: string;
  name: string;
  price: string;
  availability: string;
  release_year: number;
  link: string;
}

function makeProducts(count: number): BenchProduct[] {
  const draw = random();
  return Array.from({ length: count }, (_, at) => ({
    sku: `QX${at}`,
    name: `${FIRST_YEAR + (at % YEARS)} Felt Snowflake And Mittens Ornament ${at}`,
    price: `${5 + Math.floor(draw() * 40)}.95`,
    availability: draw() < 0.9 ? "in_stock" : "sold_out",
    release_year: FIRST_YEAR + (at % YEARS),
    link: `https://shop.example/ornaments/${FIRST_YEAR + (at % YEARS)}/QX${at}.html`,
  }));
}

const repriced = (product: BenchProduct): BenchProduct => ({ ...product, price: `${product.price.slice(0, -2)}49` });

type Upsert = "upsert_product" | "twin_upsert_product";

const upsert = (product: BenchProduct, nowMs: number, name: Upsert = "upsert_product"): Buffer =>
  encode(["FCALL", name, 0, VENDOR, JSON.stringify(product), "NOW", nowMs]);

/** What a client would send that knows already what has changed: the record, and the price with its time. */
function raw(product: BenchProduct, nowMs: number): Buffer[] {
  const id = sha1(`${VENDOR}/${product.sku}`);
  const fields = Object.entries({ vendor: VENDOR, ...product, last_synced_at: nowMs }).flat();
  return [
    encode(["HSET", `H:PRODUCT::${id}::`, ...fields]),
    encode(["ZADD", `ornaments:product:${id}:price`, Math.floor(nowMs / 1000), product.price]),
  ];
}

/** How many upserts had an outcome; the bench is worth nothing if they had another. */
async function requireOutcome(bench: Bench, outcome: string, count: number): Promise<void> {
  const found = await bench.call("HGET", `H:CATALOG.VENDOR::${VENDOR}::`, outcome);
  if (Number(found) !== count) throw new Error(`${String(found)} products were ${outcome}, not ${count}`);
}

/** One kind of sync: what is upserted, and the outcome of each by which it is known to have done its work. */
interface Sync {
  label: string;
  what: string;
  products: BenchProduct[];
  nowMs: number;
  outcomes: Record<string, number>;
  isFirst: boolean;
}

function syncsOf(products: BenchProduct[], nowMs: number): Sync[] {
  const count = products.length;
  const changed = Math.ceil(count / CHANGED_SHARE);
  const hourly = products.map((product, at) => (at % CHANGED_SHARE === 0 ? repriced(product) : product));
  return [
    {
      label: "first",
      what: "upsert_product, all of them new",
      products,
      nowMs,
      outcomes: { created: count },
      isFirst: true,
    },
    {
      label: "hourly",
      what: "upsert_product an hour later, one price in a hundred changed",
      products: hourly,
      nowMs: nowMs + HOUR_MS,
      outcomes: { changed, unchanged: count - changed },
      isFirst: false,
    },
    {
      label: "sale",
      what: "upsert_product an hour later, every price changed",
      products: products.map(repriced),
      nowMs: nowMs + HOUR_MS,
      outcomes: { changed: count },
      isFirst: false,
    },
  ];
}

/** The function, the twin and the raw pipeline, all from the same database. */
async function measure(bench: Bench, sync: Sync): Promise<Samples> {
  const prepare = (): Promise<void> => (sync.isFirst ? bench.flush() : restore(bench));
  const side = (label: string, name: Upsert, libraries: readonly LibraryName[]): Side => {
    const commands = sync.products.map((product) => upsert(product, sync.nowMs, name));
    const run = async (): Promise<number> => {
      const elapsed = await bench.pipeline(commands);
      for (const [outcome, count] of Object.entries(sync.outcomes)) await requireOutcome(bench, outcome, count);
      return elapsed;
    };
    return { label, libraries, prepare, run };
  };
  const theirs = sync.products.flatMap((product) => raw(product, sync.nowMs));
  const ours = side("ours", "upsert_product", COMPILED);
  const twin = side("twin", "twin_upsert_product", withTwin("catalog twin", "catalog"));
  const samples = await interleave(
    bench,
    [ours, twin, { label: "raw", prepare, run: () => bench.pipeline(theirs) }],
    bench.sizes.rounds,
  );
  requireSame(sync.what, await pictureAfter(bench, ours), await pictureAfter(bench, twin));
  return samples;
}

async function pictureAfter(bench: Bench, side: Side): Promise<Picture> {
  await bench.libraries.use(side.libraries ?? COMPILED);
  await side.prepare();
  await side.run();
  return takePicture(bench);
}

async function syncRows(bench: Bench, products: BenchProduct[]): Promise<Row[]> {
  const nowMs = Date.now() - HOUR_MS;
  await bench.libraries.use(COMPILED);
  await bench.flush();
  await bench.pipeline(products.map((product) => upsert(product, nowMs)));
  await save(bench);
  const rows: Row[] = [];
  for (const sync of syncsOf(products, nowMs)) {
    const samples = await measure(bench, sync);
    const row = (against: string, theirs: string): Row => ({
      what: sync.what,
      against,
      ours: perSecond(rateOf(samples, "ours", products.length), "products"),
      theirs: perSecond(rateOf(samples, theirs, products.length), "products"),
      ratio: ratioOf(samples, "ours", theirs),
    });
    rows.push(
      row(
        "by hand in Lua for this one call: no partitions, no options but NOW, prices only as they are stored",
        "twin",
      ),
    );
    rows.push(row("raw pipelined HSET + ZADD: no comparison, no lists, no counts, no history", "raw"));
  }
  return rows;
}

/** A question, and what a client without lists would do: read every record. */
async function questionRows(bench: Bench, products: BenchProduct[]): Promise<Row[]> {
  await restore(bench);
  const keys = products.map(({ sku }) => `H:PRODUCT::${sha1(`${VENDOR}/${sku}`)}::`);
  const readAll = keys.map((key) => encode(["HMGET", key, "vendor", "sku", "release_year"]));
  const questions: [what: string, command: (string | number)[]][] = [
    ["count_products BY year", ["FCALL_RO", "count_products", 0, "BY", "year", "VENDOR", VENDOR]],
    ["recent_products", ["FCALL_RO", "recent_products", 0]],
    [
      "find_products by year, availability and price",
      ["FCALL_RO", "find_products", 0, "YEAR", 1999, "AVAILABILITY", "in_stock", "PRICE", 10, 20],
    ],
  ];
  const rows: Row[] = [];
  for (const [what, command] of questions) {
    const asked = Array.from({ length: 100 }, () => encode(command));
    const sides: Side[] = [
      {
        label: "ours",
        prepare: () => Promise.resolve(),
        run: async () => (await bench.pipeline(asked)) / asked.length,
      },
      { label: "raw", prepare: () => Promise.resolve(), run: () => bench.pipeline(readAll) },
    ];
    const samples = await interleave(bench, sides, Math.min(bench.sizes.rounds, 3));
    const of = (label: string): string =>
      milliseconds(samples[label]!.reduce((sum, { wallMs }) => sum + wallMs, 0) / samples[label]!.length);
    rows.push({
      what: `${what}, of ${products.length.toLocaleString("en-US")} products`,
      against: "HMGET of each record in one pipeline",
      ours: of("ours"),
      theirs: of("raw"),
    });
  }
  return rows;
}

async function memoryOf(bench: Bench, count: number): Promise<string> {
  await bench.flush();
  const used = async (): Promise<number> =>
    Number((await readInfo((args) => bench.call(...args), "memory")).get("used_memory"));
  const before = await used();
  await bench.pipeline(makeProducts(count).map((product) => upsert(product, Date.now())));
  return bytes(((await used()) - before) / count);
}

async function run(bench: Bench): Promise<Findings> {
  const products = makeProducts(bench.sizes.products);
  const rows = [...(await syncRows(bench, products)), ...(await questionRows(bench, products))];
  const memory = await memoryOf(bench, products.length);
  return {
    rows,
    notes: [
      `upsert_product: ${products.length} products of one vendor, price and availability audited. The raw pipeline writes the record and the audited price blindly; ` +
        "the function reads the record, tells what has changed, and keeps seven lists, the counts, the audit of both fields and the history. After each kind of sync, what the function and the twin had left was compared, key by key.",
      `Memory for one product with all lists, audit and history: ${memory}.`,
    ],
  };
}

export const catalogProducts: Group = { name: "catalog-products", run };
