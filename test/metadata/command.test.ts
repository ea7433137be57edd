import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import type { NewEntry } from "../../host/metadata/entries";
import { TableIndex } from "../../host/metadata/table-index";
import { runHotpath } from "../support/processes";
import { useServer } from "../support/server";

const server = useServer();
const NOON = BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;
const SECOND = 1_000_000_000n;
let connection: Connection;

beforeAll(async () => {
  connection = await connect(server.url);
});
afterAll(() => connection.close());
beforeEach(async () => {
  await server.flush();
  await deploy(connection, { libraries: readBundle() });
});

async function index(...args: string[]): Promise<{ code: number | null; out: string; errors: string }> {
  const run = runHotpath(["index", ...args], {
    env: { REDIS_URL: server.url, CONFIG_PATH: undefined, ENV: undefined },
  });
  const { code } = await run.exit;
  return { code, out: run.lines.join("\n"), errors: run.errors.join("\n") };
}

const fileOf = (at: number, more: Partial<NewEntry> = {}): NewEntry => ({
  path: `date=2026-11-20/hour=12/f${at}.1.parquet`,
  ...{ layer: "hot", writerId: "writer-1", sizeBytes: 1_000_000, rowCount: 1_234 },
  minTime: NOON + BigInt(at) * SECOND,
  maxTime: NOON + BigInt(at + 1) * SECOND - 1n,
  max: { span: 2n ** 63n - 1n },
  ...more,
});

/** A table with as many files, and the clock an hour later. */
async function fill(table: string, files: number): Promise<TableIndex> {
  let now = Number(NOON / 1_000_000n);
  const filled = new TableIndex(connection, { database: "default", table, now: () => now });
  await filled.configure({ merge: [{ timeoutSeconds: 10, maxBytes: 2_000_000 }], layers: [{ name: "hot" }] });
  await filled.batch(Array.from({ length: files }, (_, at) => fileOf(at)));
  now += 3_600_000;
  return filled;
}

it("shows all tables, those of a database, or one", async () => {
  expect((await index("status")).out).toMatch(/^The index is empty\. .*hotpath index rebuild$/);
  const table = await fill("hits", 5);
  await fill("visits", 1);
  await table.getMergePlan({ layer: "hot", writerId: "writer-1", iteration: 1 });
  const { code, out, errors } = await index("status");
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
  expect(out.split("\n")).toEqual([
    expect.stringMatching(/^database +table +folders +files +waiting +out +due +from +to$/),
    expect.stringMatching(/^default +hits +1 +5 +2 +1 +[01] +2026-11-20T12:00:00Z +2026-11-20T12:00:04\.999999999Z$/),
    expect.stringMatching(/^default +visits +1 +1 +1 +0 +[01] +2026-11-20T12:00:00Z +/),
  ]);
  expect((await index("status", "default")).out).toBe(out);
  expect((await index("status", "other")).out).toMatch(/^The index has no tables of other\. /);
  expect(JSON.parse((await index("status", "default", "hits", "--json")).out)).toMatchObject([
    {
      database: "default",
      table: "hits",
      status: { files: 5, minTime: String(NOON), isConfigured: true, plans: [{ kind: "merge", waiting: 2, out: 1 }] },
    },
  ]);
});

it("finds files by time, to the nanosecond, and prints entries as they are stored", async () => {
  const table = await fill("hits", 3);
  const all = await index("query", "default", "hits");
  expect(all).toMatchObject({ code: 0, errors: "" });
  expect(all.out).toMatch(
    /^path +layer +bytes +rows +from +to\n(date=2026-11-20\/hour=12\/f\d\.1\.parquet +hot +1\.0 MB +1,234 +2026-11-20T12:00:0\dZ +2026-11-20T12:00:0\d\.999999999Z\n){3}\n3 files$/,
  );
  expect((await index("query", "default", "hits", "--count", "2")).out).toMatch(
    /\n2 files; there are more, --count shows them$/,
  );
  const asked = [
    "--after",
    "2026-11-20T12:00:01",
    "--before",
    String(NOON + 2n * SECOND - 1n),
    "--folder",
    "date=2026-11-20",
    "--layer",
    "hot",
    "--iteration",
    "1",
  ];
  const { out } = await index("query", "default", "hits", ...asked, "--json");
  expect(out).toBe((await table.get(fileOf(1).path))!.json);
  expect(out).toContain('"span":9223372036854775807');
  expect((await index("query", "default", "hits", "--after", "2027-01-01")).out).toBe("0 files");
});

it("ends quietly when whoever reads has enough", async () => {
  await fill("hits", 3_000);
  const child = spawn(
    "sh",
    ["-c", `${process.execPath} ${resolve("dist/hotpath.js")} index query default hits --json | head -n 1`],
    {
      env: { ...process.env, REDIS_URL: server.url },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let [out, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  await new Promise((done) => child.once("close", done));
  expect(out).toMatch(/^\{.*\}\n$/);
  expect(errors).toBe("");
});

it("shows who plans what", async () => {
  expect((await index("plans", "default", "hits")).out).toBe("Nothing was ever planned in default/hits");
  const table = await fill("hits", 3);
  await table.batch([], [fileOf(0)]);
  const { out } = await index("plans", "default", "hits");
  expect(out).toMatch(/^plan +layer +writer +waiting +out +due$/m);
  expect(out).toMatch(/^drop +hot +writer-1 +1 +0 +[01]$/m);
  expect(out).toMatch(/^merge 1 +hot +writer-1 +2 +0 +[01]$/m);
  expect(JSON.parse((await index("plans", "default", "hits", "--json")).out)).toMatchObject({
    database: "default",
    table: "hits",
    plans: [{}, { waiting: 2 }],
  });
});

it("sets a table up", async () => {
  const layers = '{"l1":{"url":"file:///data","name":"l1","type":"fs","ttl_sec":20,"layer_to":""}}';
  expect(await index("configure", "default", "hits", "--merge", "[[10,5,1]]", "--layers", layers)).toEqual({
    code: 0,
    out: "default/hits is configured",
    errors: "",
  });
  expect(await new TableIndex(connection, { database: "default", table: "hits" }).status()).toMatchObject({
    isConfigured: true,
  });
});

it("enters what others have written, and says what is missing until then", async () => {
  await fill("hits", 1);
  const entry = {
    layer: "hot",
    database: "default",
    table: "hits",
    path: "date=2026-11-19/hour=12/x.1.parquet",
    size_bytes: 1,
    writer_id: "",
    cmd: "ADD",
  };
  await server.client.hSet("files:default:hits:date=2026-11-19", entry.path, JSON.stringify(entry));
  await server.client.hSet("folders:default:hits", "date=2026-11-19/hour=12", "1");
  expect((await index("status")).out).toMatch(
    /\n\ndefault\/hits: clients of GigAPI wrote without the functions; enter it with: hotpath index rebuild$/,
  );
  const rebuilt = await index("rebuild");
  expect(rebuilt).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^\d+ keys, \d+ files, folders and plans looked at$/) as string,
  });
  expect(rebuilt.errors).toMatch(/^Rebuilding: \d+ keys in /);
  expect((await index("status")).out).toMatch(/^default +hits +2 +2 /m);
  expect(JSON.parse((await index("rebuild", "--json")).out)).toMatchObject({ isDone: true, skipped: 0 });
});

it.each([
  [["query", "default"], 2, /missing required argument 'table'/],
  [
    ["query", "default", "hits", "--after", "yesterday"],
    2,
    /^hotpath: --after must be a time, as in 2026-11-20T12:00 \(UTC\), or nanoseconds, got 'yesterday'$/,
  ],
  [["query", "default", "hits", "--iteration", "0"], 2, /whole number from 1 to 1000/],
  [
    ["query", "default", "hits", "--after", "2", "--before", "1"],
    1,
    /^hotpath: query_index: BADARG AFTER must not be later than BEFORE/,
  ],
  [["configure", "default", "hits", "--merge", "[]"], 2, /required option '--layers <json>' not specified/],
  [
    ["configure", "default", "hits", "--merge", "{", "--layers", "{}"],
    1,
    /^hotpath: configure_table: BADCONFIG MERGE must be JSON/,
  ],
  [["plan"], 2, /unknown command 'plan'/],
])("refuses %j", async (args, code, message) => {
  expect(await index(...args)).toEqual({ code, out: "", errors: expect.stringMatching(message) as string });
});

it("says that the library is not loaded", async () => {
  await server.client.sendCommand(["FUNCTION", "DELETE", "metadata"]);
  expect(await index("status")).toMatchObject({
    code: 1,
    errors: expect.stringMatching(/^hotpath: the index is not loaded on redis:.*; run: hotpath deploy$/) as string,
  });
});
