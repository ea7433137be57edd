/**
 * For every function its worst documented case: the data that it meets, and the dearest call that its documentation allows.
 * A test holds the list to the manifest.
 */
import type { Bench } from "../bench";
import { addingEntry } from "../gigapi";
import { encode } from "../pipeline";
import { sha1 } from "../traffic";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../host/runtime/time";

export type Argument = string | number | Buffer;

export interface LongestCase {
  /** What is dear about it. */
  what: string;
  /** Brings an empty database into that state; made anew before each call of a function that writes. */
  seed?(bench: Bench): Promise<unknown>;
  /** What follows the name: the number of keys, and all arguments. Made after the seed. */
  call(bench: Bench): Promise<Argument[]> | Argument[];
}

/** A boundary of all tiers, long enough ago for everything that is asked for to be over. */
const NOW = Math.floor(Date.now() / (3 * HOUR_MS)) * 3 * HOUR_MS;
const SITE = sha1("site.example");
const CHUNK = 1000;

/** A HyperLogLog as Redis has it from some 2,000 devices on. */
const DENSE = Buffer.concat([Buffer.from("HYLL\0\0\0\0\0\0\0\0\0\0\0\x80", "latin1"), Buffer.alloc(12_288, 0x41)]);

const range = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const fcall = (name: string, ...args: (string | number)[]): Buffer => encode(["FCALL", name, 0, ...args]);
const send = (bench: Bench, commands: Buffer[]): Promise<number> => bench.pipeline(commands);

/** The same command with so many more arguments at once. */
async function inChunks(
  bench: Bench,
  command: (string | number)[],
  args: (string | number)[],
  step: number,
): Promise<void> {
  const commands: Buffer[] = [];
  for (let at = 0; at < args.length; at += step * CHUNK)
    commands.push(encode([...command, ...args.slice(at, at + step * CHUNK)]));
  await send(bench, commands);
}

const pageUrl = (page: number) => `https://site.example/s${page % 10}/t${page % 60}/${page}.html`;
const pageId = (page: number) => sha1(`site.example/s${page % 10}/t${page % 60}/${page}.html`);
const event = (page: number, device: string | number, dt: number, more: object = {}) =>
  JSON.stringify({ url: pageUrl(page), uui: String(device), dt, ...more });

/** Pages with documents, each visited once within a day. */
async function visit(bench: Bench, pages: number, dt = (page: number) => NOW - ((page * 7_919_333) % DAY_MS)) {
  const commands: Buffer[] = [];
  for (let from = 0; from < pages; from += 500) {
    const events = range(Math.min(500, pages - from), (at) => event(from + at, "d", dt(from + at)));
    commands.push(fcall("track_events", ...events, "NOW", NOW));
  }
  await send(bench, commands);
}

/** Documents whose titles have so many words, all the same. */
async function title(bench: Bench, pages: number, words: string): Promise<void> {
  await send(
    bench,
    range(pages, (page) => fcall("enrich_document", "P", pageId(page), JSON.stringify({ title: words }), "NOW", NOW)),
  );
}

/** A dense HyperLogLog under many names. */
async function denseUnder(bench: Bench, names: string[]): Promise<void> {
  await bench.call("PFADD", "dense", ...range(20_000, (at) => `device ${at}`));
  await send(
    bench,
    names.map((name) => encode(["COPY", "dense", name])),
  );
  await bench.call("DEL", "dense");
}

/** Minutes that rotation has not carried on, back from now. */
async function unrotated(bench: Bench, metric: "PG" | "UD", minutes: number): Promise<void> {
  const windows = range(Math.ceil(minutes / 5), (at) => NOW - (at + 1) * 5 * MINUTE_MS);
  for (const dimension of ["W", "P"]) {
    const pairs = windows.flatMap((startMs) => [startMs, startMs]);
    await inChunks(bench, ["ZADD", `SS:5MINUTES.PENDING:${dimension}:::${metric}`], pairs, 2);
  }
}

const minutesBack = (minutes: number) => range(minutes, (at) => NOW - (at + 1) * MINUTE_MS);
const between = (minutes: number): (string | number)[] => ["FROM", NOW - minutes * MINUTE_MS, "TO", NOW, "NOW", NOW];

/** Devices of many pages in five minutes that are over. */
async function fiveMinutesOfDevices(bench: Bench, pages: number, isDense: boolean): Promise<void> {
  const minutes = minutesBack(5);
  await visit(bench, pages, (page) => minutes[page % 5]!);
  await send(
    bench,
    minutes.flatMap((dt) =>
      range(pages / 500, (part) =>
        fcall("track_events", ...range(500, (at) => event(part * 500 + at, `e${dt}`, dt)), "NOW", NOW),
      ),
    ),
  );
  if (!isDense) return;
  await bench.call("PFADD", "dense", ...range(20_000, (at) => `device ${at}`));
  await send(
    bench,
    minutes.flatMap((dt) =>
      range(pages, (page) => encode(["COPY", "dense", `HLL:1MINUTE:P:${pageId(page)}:${dt}:UD`, "REPLACE"])),
    ),
  );
}

const MINUTES_A_DAY = 1440;
const hosts = (count: number) =>
  JSON.stringify(Object.fromEntries(range(count, (at) => [`h${at}.example`, `website ${at % 100}`])));

const tracker: Record<string, LongestCase> = {
  track_events: {
    what: "1,000 events of new pages with audio, video and podcast",
    call: () => [
      0,
      ...range(1000, (page) =>
        event(page, page, NOW - MINUTE_MS, { audio: `a${page}`, video: `v${page}`, podcast: `p${page}` }),
      ),
      "NOW",
      NOW,
    ],
  },
  ingest_events: {
    what: "default LIMIT (250), new pages with audio, video and podcast",
    seed: (bench) =>
      send(
        bench,
        range(1000, (page) =>
          encode([
            "XADD",
            "ST:TRACKER::::",
            "*",
            "url",
            pageUrl(page),
            "uui",
            page,
            "dt",
            NOW - MINUTE_MS,
            "audio",
            `a${page}`,
            "video",
            `v${page}`,
            "podcast",
            `p${page}`,
          ]),
        ),
      ),
    call: () => [0, "NOW", NOW],
  },
  import_events: {
    what: "1,000 events of new pages with audio, video and podcast",
    call: () => [
      0,
      "log",
      "-",
      "1",
      ...range(1000, (page) =>
        event(page, page, NOW - DAY_MS, { audio: `a${page}`, video: `v${page}`, podcast: `p${page}` }),
      ),
      "NOW",
      NOW,
    ],
  },
  get_import: { what: "one log", call: () => [0, "log"] },
  forget_import: { what: "one log", call: () => [0, "log"] },
  rotate_pg: {
    what: "default LIMIT (50), 10,000 pages wait",
    seed: (bench) => visit(bench, 10_000, () => NOW - 10 * MINUTE_MS),
    call: () => [0, "NOW", NOW],
  },
  rotate_ud: {
    what: "default LIMIT (20), pages of five dense HyperLogLogs",
    seed: (bench) => fiveMinutesOfDevices(bench, 500, true),
    call: () => [0, "DIMENSION", "P", "NOW", NOW],
  },
  get_carry: {
    what: "COUNT 200, dense HyperLogLogs",
    seed: async (bench) => {
      await denseUnder(
        bench,
        range(200, (at) => `HLL:5MINUTES:S:${sha1(`s${at}`)}:${NOW - HOUR_MS}:UD`),
      );
      await bench.call(
        "ZADD",
        "SS:CARRY::::UD",
        ...range(200, (at) => [at, `S 1 ${NOW - HOUR_MS} ${sha1(`s${at}`)}`]).flat(),
      );
    },
    call: () => [0, "COUNT", 200],
  },
  put_carry: {
    what: "a dense HyperLogLog",
    call: () => [0, "S", SITE, "5MINUTES", NOW - HOUR_MS, DENSE, "NOW", NOW],
  },
  end_carry: {
    what: "a list of 100,000",
    seed: (bench) =>
      inChunks(
        bench,
        ["ZADD", "SS:CARRY::::UD"],
        range(100_000, (at) => [at, `S 1 ${NOW - HOUR_MS} ${sha1(`s${at}`)}`]).flat(),
        2,
      ),
    call: () => [0, "99"],
  },
  count_pg: {
    what: "as many minutes without rotation as it adds up, seven days",
    seed: async (bench) => {
      await unrotated(bench, "PG", 7 * MINUTES_A_DAY);
      await send(
        bench,
        minutesBack(7 * MINUTES_A_DAY).map((dt) => encode(["HSET", `H:1MINUTE.OPEN:W::${dt}:PG`, SITE, 10])),
      );
    },
    call: () => [0, "W", SITE, ...between(7 * MINUTES_A_DAY)],
  },
  count_ud: {
    what: "as many HyperLogLogs as it reads: thirteen hours without rotation, every minute dense",
    seed: async (bench) => {
      await unrotated(bench, "UD", 780);
      await denseUnder(
        bench,
        minutesBack(780).map((dt) => `HLL:1MINUTE:W:${SITE}:${dt}:UD`),
      );
    },
    call: () => [0, "W", SITE, ...between(780)],
  },
  get_devices: {
    what: "4 MB, as it answers at most",
    seed: async (bench) => {
      await unrotated(bench, "UD", 330);
      await denseUnder(
        bench,
        minutesBack(330).map((dt) => `HLL:1MINUTE:W:${SITE}:${dt}:UD`),
      );
    },
    call: () => [0, "W", SITE, ...between(330)],
  },
  rank_pg: {
    what: "the greatest COUNT, a week of 10,000 pages with nearly the same views",
    seed: (bench) =>
      send(
        bench,
        range(56, (window) =>
          range(10, (part) =>
            encode([
              "ZADD",
              `SS:3HOURS:P::${NOW - (window + 1) * 3 * HOUR_MS}:PG`,
              ...range(1000, (at) => [
                10 + (((part * 1000 + at) * 7919 * (window + 1)) % 5),
                pageId(part * 1000 + at),
              ]).flat(),
            ]),
          ),
        ).flat(),
      ),
    call: () => [0, "P", "FROM", NOW - 7 * DAY_MS, "TO", NOW, "COUNT", 1000, "NOW", NOW],
  },
  range_pg: {
    what: "10,000 points",
    call: () => [0, "W", SITE, "TIER", "5MINUTES", "FROM", NOW - 30 * DAY_MS, "TO", NOW],
  },
  range_ud: {
    what: "10,000 points",
    call: () => [0, "W", SITE, "TIER", "1HOUR", "FROM", NOW - 400 * DAY_MS, "TO", NOW],
  },
  get_document: {
    what: "the greatest COUNT, 20,000 pages",
    seed: (bench) => visit(bench, 20_000),
    call: () => [0, "W", SITE, "COUNT", 1000],
  },
  find_documents: {
    what: "LIMIT 10,000, TITLE of 170 words that all of 20,000 pages have",
    seed: async (bench) => {
      await visit(bench, 20_000);
      await title(bench, 20_000, range(170, (at) => at.toString(36)).join(" "));
    },
    call: () => [0, "P", "TITLE", range(170, (at) => at.toString(36)).join(" "), "LIMIT", 10_000],
  },
  enrich_document: {
    what: "512 bytes of words in the place of as many others",
    seed: async (bench) => {
      await visit(bench, 1);
      await title(
        bench,
        1,
        range(170, (at) => `a${at.toString(36)}`)
          .join(" ")
          .slice(0, 512),
      );
    },
    call: () => [
      0,
      "P",
      pageId(0),
      JSON.stringify({
        title: range(170, (at) => `b${at.toString(36)}`)
          .join(" ")
          .slice(0, 512),
        kicker: "k".repeat(512),
      }),
      "NOW",
      NOW,
    ],
  },
  abandon_enrichment: {
    what: "of 20,000 pages that wait",
    seed: (bench) => visit(bench, 20_000),
    call: () => [0, "P", pageId(0), "REASON", "timeout", "NOW", NOW],
  },
  refresh_documents: {
    what: "default LIMIT, of 20,000 pages",
    seed: async (bench) => {
      await visit(bench, 20_000);
      await title(bench, 20_000, "title");
    },
    call: () => [0, "NOW", NOW + 60 * DAY_MS],
  },
  expire_documents: {
    what: "default LIMIT, pages with 170 words in their titles",
    seed: async (bench) => {
      await visit(bench, 2000);
      await title(bench, 2000, range(170, (at) => at.toString(36)).join(" "));
    },
    call: () => [0, "NOW", NOW + 100 * DAY_MS],
  },
  identify_url: { what: "2,048 bytes", call: () => [0, `https://site.example/${"a/".repeat(1010)}`] },
  identify_name: { what: "128 and 2,048 bytes", call: () => [0, "w".repeat(128), "SECTION", "s/".repeat(1020)] },
  configure_tracker: {
    what: "10,000 hosts in the place of 10,000 others",
    seed: (bench) => bench.call("FCALL", "configure_tracker", 0, "HOSTS", hosts(10_000).replaceAll("h", "g")),
    call: () => [0, "HOSTS", hosts(10_000)],
  },
  get_tracker_config: {
    what: "10,000 hosts",
    seed: (bench) => bench.call("FCALL", "configure_tracker", 0, "HOSTS", hosts(10_000)),
    call: () => [0],
  },
  get_tracker_status: {
    what: "a week without rotation",
    seed: (bench) => unrotated(bench, "UD", 7 * MINUTES_A_DAY),
    call: () => [0, "NOW", NOW],
  },
  get_tracker_delays: {
    what: "a week without rotation",
    seed: (bench) => unrotated(bench, "UD", 7 * MINUTES_A_DAY),
    call: () => [0, "NOW", NOW],
  },
  get_tracker_memory: {
    what: "default SAMPLES of HyperLogLogs",
    seed: (bench) => fiveMinutesOfDevices(bench, 2000, false),
    call: () => [0, "1MINUTE", "NOW", NOW],
  },
  tracker_lead: { what: "one job", call: () => [0, "rotate_pg", NOW, "worker", "NOW", NOW] },
  tracker_done: { what: "one job", call: () => [0, "rotate_pg", NOW, "worker"] },
  tracker_library: { what: "", call: () => [0] },
};

const topic: string[] = ["packages"];
const QUIET = NOW + 2 * HOUR_MS;
const scan = (subject: number, item: number) => fcall("scan_item", ...topic, `s${subject}`, `i${item}`, "NOW", NOW);

const notifier: Record<string, LongestCase> = {
  scan_item: {
    what: "a subject of 100,000 items",
    seed: async (bench) => {
      await send(
        bench,
        range(2000, (at) => scan(1, at)),
      );
      await inChunks(
        bench,
        ["RPUSH", "SELLER:s1"],
        range(98_000, (at) => `i${at + 2000}`),
        1,
      );
    },
    call: () => [0, ...topic, "s1", "new", "NOW", NOW],
  },
  ingest_scans: {
    what: "default LIMIT (250), one subject each",
    seed: (bench) =>
      send(
        bench,
        range(1000, (at) => encode(["XADD", "packages", "*", "seller_id", `s${at}`, "package_id", "i".repeat(1024)])),
      ),
    call: () => [0, ...topic],
  },
  claim_notifications: {
    what: "COUNT 100, and 1,000 items altogether",
    seed: (bench) =>
      send(
        bench,
        range(10_000, (at) => scan(at % 1000, at)),
      ),
    call: () => [0, ...topic, "COUNT", 100, "NOW", QUIET],
  },
  ack_notification: {
    what: "one of 1,000 items",
    seed: (bench) =>
      send(
        bench,
        range(1000, (at) => scan(1, at)),
      ),
    call: async (bench) => [0, ...topic, await claimedId(bench), "NOW", QUIET],
  },
  fail_notification: {
    what: "one of 1,000 items",
    seed: (bench) =>
      send(
        bench,
        range(1000, (at) => scan(1, at)),
      ),
    call: async (bench) => [0, ...topic, await claimedId(bench), "REASON", "timeout", "NOW", QUIET],
  },
  list_notifications: {
    what: "COUNT 1,000, ten items each",
    seed: (bench) =>
      send(
        bench,
        range(20_000, (at) => scan(at % 2000, at)),
      ),
    call: () => [0, ...topic, "COUNT", 1000],
  },
  retry_notification: {
    what: "one that is dead",
    seed: async (bench) => {
      await bench.call("FCALL", "configure_topic", 0, ...topic, "ATTEMPTS", 1);
      await send(
        bench,
        range(1000, (at) => scan(1, at)),
      );
    },
    call: async (bench) => {
      const id = await claimedId(bench);
      await bench.call("FCALL", "fail_notification", 0, ...topic, id, "NOW", QUIET);
      return [0, ...topic, id, "NOW", QUIET];
    },
  },
  configure_topic: {
    what: "all options, 99 topics beside it",
    seed: (bench) => topics(bench, 99),
    call: () => [0, "last", "STREAM", "last", "PREFIX", "LAST:"],
  },
  get_topic: { what: "one of 100", seed: (bench) => topics(bench, 100), call: () => [0, "t1"] },
  list_topics: { what: "100 topics", seed: (bench) => topics(bench, 100), call: () => [0] },
  get_notifier_status: {
    what: "2,000 subjects wait",
    seed: (bench) =>
      send(
        bench,
        range(20_000, (at) => scan(at % 2000, at)),
      ),
    call: () => [0, ...topic, "NOW", NOW],
  },
  notifier_library: { what: "", call: () => [0] },
};

async function claimedId(bench: Bench): Promise<string> {
  const reply = (await bench.call("FCALL", "claim_notifications", 0, ...topic, "NOW", QUIET)) as string[];
  return (JSON.parse(reply[1]!) as { id: string }).id;
}

const topics = (bench: Bench, count: number) =>
  send(
    bench,
    range(count, (at) => fcall("configure_topic", `t${at}`, "STREAM", `st${at}`, "PREFIX", `P${at}:`)),
  );

const LAYERS = JSON.stringify({ l1: { url: "", name: "l1", type: "fs", ttl_sec: 0, layer_to: "" } });
const table: string[] = ["default", "test"];
const fileMs = Date.UTC(2024, 0, 1);
const fileAt = (folder: string, at: number) =>
  addingEntry({
    path: `${folder}/${at}.1.parquet`,
    sizeBytes: 1_000_000,
    fromMs: fileMs,
    toMs: fileMs + 1,
    chunkMs: fileMs,
  });
const FOLDER = "date=2024-01-01/hour=00";
const configured = (bench: Bench) =>
  bench.call("FCALL", "configure_table", 0, ...table, "MERGE", "[[0, 10000000, 1]]", "LAYERS", LAYERS);

/** Files in one folder, or in as many folders as there are files. */
async function files(bench: Bench, count: number, folderOf = (_at: number) => FOLDER): Promise<void> {
  await configured(bench);
  const entries = range(count, (at) => fileAt(folderOf(at), at));
  await send(
    bench,
    range(Math.ceil(count / 1000), (part) =>
      fcall("patch_index", ...table, ...entries.slice(part * 1000, (part + 1) * 1000)),
    ),
  );
}

const plan = async (bench: Bench): Promise<string> => {
  const reply = String(
    await bench.call("FCALL", "get_merge_plan", 0, ...table, 1, "l1", "", "NOW", Date.now() + HOUR_MS),
  );
  return (JSON.parse(reply) as { id: string }).id;
};

/** Files that move at once to a layer without a successor, or that were deleted. */
async function handed(bench: Bench, kind: "move" | "drop"): Promise<void> {
  const layers = JSON.stringify({ l1: { url: "", name: "l1", type: "fs", ttl_sec: 1, layer_to: "" } });
  await bench.call("FCALL", "configure_table", 0, ...table, "MERGE", "[]", "LAYERS", layers);
  const entries = range(1000, (at) => fileAt(FOLDER, at));
  await bench.call("FCALL", "patch_index", 0, ...table, ...entries);
  if (kind === "drop")
    await bench.call("FCALL", "patch_index", 0, ...table, ...entries.map((each) => each.replace('"ADD"', '"DELETE"')));
}

const handedId = async (bench: Bench, kind: "move" | "drop"): Promise<string> =>
  (
    JSON.parse(
      String(await bench.call("FCALL", `get_${kind}_plan`, 0, ...table, "l1", "", "NOW", Date.now() + DAY_MS)),
    ) as { id: string }
  ).id;

const metadata: Record<string, LongestCase> = {
  patch_index: {
    what: "1,000 deletions of files in a folder of 20,000, each in a plan that waits",
    seed: (bench) => files(bench, 20_000),
    call: () => [0, ...table, ...range(1000, (at) => fileAt(FOLDER, at * 20).replace('"ADD"', '"DELETE"'))],
  },
  get_merge_plan: {
    what: "10,000 queues",
    seed: (bench) => files(bench, 10_000, (at) => `date=2024-01-01/hour=${at}`),
    call: () => [0, ...table, 1, "l1", "", "NOW", Date.now() + HOUR_MS],
  },
  end_merge: {
    what: "a plan of ten files, 2,000 wait",
    seed: (bench) => files(bench, 20_000),
    call: async (bench) => [0, ...table, await plan(bench)],
  },
  get_move_plan: {
    what: "1,000 plans wait",
    seed: (bench) => handed(bench, "move"),
    call: () => [0, ...table, "l1", "", "NOW", Date.now() + DAY_MS],
  },
  end_move: {
    what: "1,000 plans wait",
    seed: (bench) => handed(bench, "move"),
    call: async (bench) => [0, ...table, await handedId(bench, "move")],
  },
  get_drop_plan: {
    what: "1,000 plans wait",
    seed: (bench) => handed(bench, "drop"),
    call: () => [0, ...table, "l1", "", "NOW", Date.now() + DAY_MS],
  },
  end_drop: {
    what: "1,000 plans wait",
    seed: (bench) => handed(bench, "drop"),
    call: async (bench) => [0, ...table, await handedId(bench, "drop")],
  },
  query_index: {
    what: "COUNT 10,000 of a folder of 20,000 files, none of them met",
    seed: (bench) => files(bench, 20_000),
    call: () => [0, ...table, "ITERATION", 2, "COUNT", 10_000],
  },
  get_entry: {
    what: "one of 20,000",
    seed: (bench) => files(bench, 20_000),
    call: () => [0, ...table, `${FOLDER}/7.1.parquet`],
  },
  list_databases: {
    what: "10,000 names, as many as it answers",
    seed: (bench) => names(bench, "SS:METADATA.DATABASES::::"),
    call: () => [0],
  },
  list_tables: {
    what: "10,000 names, as many as it answers",
    seed: (bench) => names(bench, "SS:METADATA.TABLES::default::"),
    call: () => [0, "default"],
  },
  list_folders: {
    what: "COUNT 10,000 of 20,000 folders",
    seed: (bench) => files(bench, 20_000, (at) => `date=2024-01-01/hour=${at}`),
    call: () => [0, ...table, "COUNT", 10_000],
  },
  get_table_status: {
    what: "1,000 first folders with a merge queue each",
    seed: (bench) => files(bench, 1000, (at) => `date=${at}/hour=00`),
    call: () => [0, ...table],
  },
  configure_table: {
    what: "65,536 bytes of layers",
    call: () => [
      0,
      ...table,
      "MERGE",
      "[[10, 10000000, 1]]",
      "LAYERS",
      JSON.stringify(
        Object.fromEntries(
          range(700, (at) => [`l${at}`, { url: "", name: `l${at}`, type: "fs", ttl_sec: 0, layer_to: "" }]),
        ),
      ).slice(0, 65_536),
    ],
  },
  rebuild_index: {
    what: "default LIMIT, 20,000 files in 2,000 folders",
    seed: (bench) => files(bench, 20_000, (at) => `date=2024-01-01/hour=${at % 2000}`),
    call: () => [0],
  },
  metadata_library: { what: "", call: () => [0] },
};

const names = (bench: Bench, key: string) =>
  inChunks(bench, ["ZADD", key], range(10_000, (at) => [0, `name ${at}`]).flat(), 2);

const VENDOR = "vendor";
const product = (at: number, price = "5.95") =>
  JSON.stringify({
    sku: `Q${at}`,
    name: "n".repeat(512),
    price,
    availability: `in_stock`,
    brand: "b".repeat(128),
    release_year: 1973 + (at % 48),
    link: `https://shop.example/${"x".repeat(1900)}${at}`,
  });
const productId = (at: number) => sha1(`${VENDOR}/Q${at}`);
const products = (bench: Bench, count: number) =>
  send(
    bench,
    range(count, (at) => fcall("upsert_product", VENDOR, product(at), "NOW", NOW + at)),
  );
const linkAt = (at: number, length = 40) => `https://shop.example/${"x".repeat(length)}${at}`;
async function links(bench: Bench, count: number, length?: number): Promise<void> {
  let last = 0;
  for (let from = 0; from < count; from += 1000) {
    const part = Object.fromEntries(range(1000, (at) => [linkAt(from + at, length), `n${from + at}`]));
    const more = from + 1000 < count ? ["MORE", 1] : [];
    const run = from === 0 ? [] : ["RUN", last];
    const reply = await bench.call(
      "FCALL",
      "sync_links",
      0,
      VENDOR,
      1973,
      JSON.stringify(part),
      ...more,
      ...run,
      "NOW",
      NOW,
    );
    last = Number((reply as unknown[])[5]);
  }
}
const define = (bench: Bench, ...more: (string | number)[]) => bench.call("FCALL", "define_task", 0, "t", ...more);
const payload = JSON.stringify({ type: "t", text: "p".repeat(80) });
async function tasks(bench: Bench, count: number): Promise<void> {
  await define(bench);
  await send(
    bench,
    range(count, (at) => fcall("enqueue_task", "q", payload, "ID", `t${at}`, "NOW", NOW)),
  );
}
async function claimed(bench: Bench): Promise<string> {
  return (JSON.parse(String(await bench.call("FCALL", "claim_task", 0, "q", "NOW", NOW))) as { id: string }).id;
}
const hooked = async (bench: Bench): Promise<void> => {
  for (let at = 0; at < 10; at += 1) await bench.call("FCALL", "define_task", 0, `h${at}`);
  const all = range(10, (at) => `h${at}`).join(",");
  await define(bench, "PRE", all, "POST", all);
};

const types = (bench: Bench) =>
  send(
    bench,
    range(989, (at) => fcall("define_task", `y${at}`)),
  );

const catalog: Record<string, LongestCase> = {
  upsert_product: {
    what: "every field at its greatest, all of them changed",
    seed: (bench) => products(bench, 1000),
    call: () => [0, VENDOR, product(7, "6.95").replace("nnn", "mmm"), "NOW", NOW + DAY_MS],
  },
  get_product: {
    what: "every field at its greatest",
    seed: (bench) => products(bench, 10),
    call: () => [0, productId(7)],
  },
  remove_product: {
    what: "of 1,000",
    seed: (bench) => products(bench, 1000),
    call: () => [0, productId(7), "NOW", NOW + DAY_MS],
  },
  find_products: {
    what: "LIMIT 10,000, YEAR, AVAILABILITY and PRICE, none met",
    seed: (bench) => products(bench, 20_000),
    call: () => [0, "AVAILABILITY", "in_stock", "PRICE", "5", "6", "YEAR", 1980, "OFFSET", 10_000, "LIMIT", 10_000],
  },
  count_products: {
    what: "BY vendor, 500 vendors",
    seed: (bench) =>
      send(
        bench,
        range(500, (at) => fcall("upsert_product", `v${at}`, product(at), "NOW", NOW)),
      ),
    call: () => [0, "BY", "vendor"],
  },
  recent_products: {
    what: "the greatest COUNT",
    seed: (bench) => products(bench, 12_000),
    call: () => [0, "COUNT", 1000],
  },
  get_history: {
    what: "5,000 changes, FIELD met by none",
    seed: async (bench) => {
      await bench.call("FCALL", "configure_catalog", 0, "AUDIT", "product", "price", "AUDIT_MAXLEN", 5000);
      await send(
        bench,
        range(5000, (at) => fcall("upsert_product", VENDOR, product(1, `${5 + at}.95`), "NOW", NOW + at)),
      );
    },
    call: () => [0, "product", productId(1), "FIELD", "price", "COUNT", 10_000],
  },
  sync_links: {
    what: "1,000 links in the place of 1,000 others",
    seed: (bench) => links(bench, 1000, 60),
    call: () => [
      0,
      VENDOR,
      1973,
      JSON.stringify(Object.fromEntries(range(1000, (at) => [linkAt(at, 1900), "n".repeat(512)]))),
      "NOW",
      NOW + 1,
    ],
  },
  mark_link: {
    what: "of 1,000",
    seed: (bench) => links(bench, 1000),
    call: () => [0, VENDOR, linkAt(7), "OUTCOME", "gone", "STATUS", 404, "NOW", NOW],
  },
  get_link: {
    what: "2,048 bytes",
    seed: (bench) => links(bench, 1000, 1900),
    call: () => [0, VENDOR, linkAt(7, 1900)],
  },
  list_links: {
    what: "the greatest COUNT, addresses of 1,900 bytes",
    seed: (bench) => links(bench, 12_000, 1900),
    call: () => [0, VENDOR, "COUNT", 1000],
  },
  configure_catalog: {
    what: "all options",
    call: () => [
      0,
      "AUDIT",
      "product",
      "price,availability,name,brand",
      "AUDIT_MAXLEN",
      5000,
      "AUDIT_DAYS",
      100,
      "REMOVED_DAYS",
      100,
    ],
  },
  get_catalog_config: { what: "", call: () => [0] },
  get_catalog_status: {
    what: "500 vendors",
    seed: (bench) =>
      send(
        bench,
        range(500, (at) => fcall("upsert_product", `v${at}`, product(at), "NOW", NOW)),
      ),
    call: () => [0, "STALE", 1, "NOW", NOW],
  },
  enqueue_task: { what: "ten hooks before it and ten after", seed: hooked, call: () => [0, "q", payload, "NOW", NOW] },
  claim_task: {
    what: "1,000 children of a parent that was cancelled",
    seed: async (bench) => {
      await define(bench);
      await bench.call("FCALL", "enqueue_task", 0, "parents", payload, "ID", "parent", "NOW", NOW);
      await send(
        bench,
        range(1000, () => fcall("enqueue_task", "q", payload, "PARENT", "parent", "NOW", NOW)),
      );
      await bench.call("FCALL", "cancel_task", 0, "parent", "NOW", NOW);
    },
    call: () => [0, "q", "NOW", NOW],
  },
  extend_task: {
    what: "of 1,000",
    seed: (bench) => tasks(bench, 1000),
    call: async (bench) => [0, await claimed(bench), "LEASE", 60_000, "NOW", NOW],
  },
  finish_task: {
    what: "a result of 60 kB",
    seed: async (bench) => {
      await tasks(bench, 1000);
    },
    call: async (bench) => [0, await claimed(bench), "RESULT", JSON.stringify({ r: "r".repeat(60_000) }), "NOW", NOW],
  },
  fail_task: {
    what: "of 1,000",
    seed: (bench) => tasks(bench, 1000),
    call: async (bench) => [0, await claimed(bench), "REASON", "r", "FINAL", 1, "NOW", NOW],
  },
  release_task: {
    what: "of 1,000",
    seed: (bench) => tasks(bench, 1000),
    call: async (bench) => [0, await claimed(bench), "NOW", NOW],
  },
  cancel_task: { what: "of 1,000", seed: (bench) => tasks(bench, 1000), call: () => [0, "t7", "NOW", NOW] },
  retry_task: {
    what: "a dead one",
    seed: (bench) => tasks(bench, 1000),
    call: async (bench) => {
      const id = await claimed(bench);
      await bench.call("FCALL", "fail_task", 0, id, "FINAL", 1, "NOW", NOW);
      return [0, id, "NOW", NOW];
    },
  },
  get_task: { what: "of 1,000", seed: (bench) => tasks(bench, 1000), call: () => [0, "t7"] },
  list_tasks: {
    what: "the greatest COUNT",
    seed: (bench) => tasks(bench, 12_000),
    call: () => [0, "q", "COUNT", 1000],
  },
  get_queue_status: {
    what: "12,000 tasks wait",
    seed: (bench) => tasks(bench, 12_000),
    call: () => [0, "q", "NOW", NOW],
  },
  list_queues: {
    what: "10,000 queues",
    seed: async (bench) => {
      await define(bench);
      await send(
        bench,
        range(10_000, (at) => fcall("enqueue_task", `q${at}`, payload, "NOW", NOW)),
      );
    },
    call: () => [0],
  },
  define_task: {
    what: "ten hooks before it and ten after, 1,000 types beside it",
    seed: async (bench) => {
      await types(bench);
      await hooked(bench);
    },
    call: () => [0, "t", "PRE", range(10, (at) => `h${at}`).join(",")],
  },
  get_task_type: { what: "one of 989", seed: types, call: () => [0, "y7"] },
  list_task_types: { what: "989 types", seed: types, call: () => [0] },
  catalog_library: { what: "", call: () => [0] },
};

/** By the function's name. */
export const LONGEST_CASES: Readonly<Record<string, LongestCase>> = {
  ...tracker,
  ...notifier,
  ...metadata,
  ...catalog,
};
