/** The package as a stranger has it: packed, installed, type-checked and run. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { connect } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import { runNode } from "../support/processes";
import { useServer } from "../support/server";

const ROOT = resolve(".");
const server = useServer();

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "hotpath-stranger-"));
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", dir], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  const installed = join(dir, "node_modules/hotpath");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(dir, filename), "-C", installed, "--strip-components", "1"]);
  writeFileSync(join(dir, "package.json"), '{ "name": "stranger", "private": true, "type": "module" }');
  compile({ "client.ts": CLIENT, "mistakes.ts": MISTAKES, "example.ts": exampleOf("docs/metadata.md") });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeEach(() => server.flush());

const CLIENT = `
  import { connect, deploy, functionsOf, HotpathError, readBundle, VERSION, type HotpathFunctions } from "hotpath";
  const connection = await connect(process.env["REDIS_URL"]!);
  try {
    const { changed } = await deploy(connection, { libraries: readBundle() });
    const functions: HotpathFunctions = functionsOf(connection, { heal: true });
    const { accepted } = await functions.trackEvents({ events: [JSON.stringify({ url: "https://www.rtl.lu/", uui: "d", dt: Date.now() })] });
    const error: unknown = await functions.getTopic({ topic: "nonesuch" }).catch((thrown: unknown) => thrown);
    console.log(VERSION, typeof changed, accepted, error instanceof HotpathError && error.code);
  } finally {
    connection.close();
  }`;

const MISTAKES = `
  import { TableIndex, type Connection } from "hotpath";
  export function mistakes(connection: Connection): void {
    const table = new TableIndex(connection, { database: "d", table: "t" });
    // @ts-expect-error nanoseconds are bigints
    void table.batch([{ path: "a/b.1.parquet", layer: "l", sizeBytes: 1, minTime: 1 }]);
    // @ts-expect-error a file has a layer
    void table.batch([{ path: "a/b.1.parquet", sizeBytes: 1 }]);
    // @ts-expect-error a plan may be none
    void table.getMergePlan({ layer: "l", iteration: 1 }).then(({ from }) => from);
  }`;

/** The first program in a page of the documentation. */
function exampleOf(page: string): string {
  const example = /^```ts\n(import [^]*?)^```$/m.exec(readFileSync(join(ROOT, page), "utf8"))?.[1];
  if (example === undefined) throw new Error(`${page} has no example`);
  return example;
}

/** Type-checks programs with Node's resolution, the package's own types included, and writes them as JavaScript beside. */
function compile(programs: Record<string, string>): void {
  for (const [name, text] of Object.entries(programs)) writeFileSync(join(dir, name), text);
  const compilerOptions = {
    ...{
      target: "ES2023",
      lib: ["ES2023"],
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
    },
    ...{ types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")], skipDefaultLibCheck: true },
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, include: Object.keys(programs) }));
  try {
    execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", dir], {
      encoding: "utf8",
      stdio: "pipe",
    });
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout, { cause: error });
  }
}

async function run(script: string): Promise<{ code: number | null; out: string[]; errors: string[] }> {
  const { exit, lines, errors } = runNode([join(dir, script)], { env: { REDIS_URL: server.url } });
  const { code } = await exit;
  return { code, out: lines, errors };
}

it("runs, with types that need nobody else's", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(await run("client.js")).toEqual({ code: 0, out: [`${version} boolean 1 NOTFOUND`], errors: [] });
});

it("is of no use by paths into it", async () => {
  writeFileSync(join(dir, "inside.js"), 'import("hotpath/dist/index.js").catch(({ code }) => console.log(code));');
  expect((await run("inside.js")).out).toEqual(["ERR_PACKAGE_PATH_NOT_EXPORTED"]);
});

it("runs the example of docs/metadata.md", async () => {
  const connection = await connect(server.url);
  await deploy(connection, { libraries: readBundle() }).finally(() => connection.close());
  expect(await run("example.js")).toEqual({
    code: 0,
    out: ["date=2026-11-20/hour=12/a81b.1.parquet 1795176000000000000n { span: 9223372036854775807n }", "true"],
    errors: [],
  });
});
