/*
 * Runs all tests once per server:
 *
 *     npm run test:matrix                                     every server on PATH and in .hotpath/servers
 *     npm run test:matrix -- /path/to/redis-server …          these
 *     npm run test:matrix -- /path/to/redis-server -- test/tracker   with arguments for vitest
 *
 * Ends with a table, and with exit code 1 if a test failed, a run broke off, or a run had no test.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { inspectServer, isRecentEnough, listServers, type ServerBinary } from "../host/embedded/embedded";
import { renderTable } from "../host/terminal/table";

interface Outcome {
  server: ServerBinary;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
  succeeded: boolean;
}

const SERVERS_DIR = resolve(".hotpath", "servers");
const VITEST = resolve("node_modules", "vitest", "vitest.mjs");

const { paths, vitestArgs } = readArguments(process.argv.slice(2));
const servers = paths.length > 0 ? paths.map(namedServer) : everyServer();
if (servers.length === 0) throw new Error("No server found: name one, or run `npx tsx scripts/fetch-servers.ts`.");
const outcomes: Outcome[] = [];
for (const server of servers) outcomes.push(await runTests(server, vitestArgs));
printTable(outcomes);
process.exitCode = outcomes.every((outcome) => outcome.succeeded) ? 0 : 1;

function readArguments(args: string[]): { paths: string[]; vitestArgs: string[] } {
  const separator = args.indexOf("--");
  return separator < 0
    ? { paths: args, vitestArgs: [] }
    : { paths: args.slice(0, separator), vitestArgs: args.slice(separator + 1) };
}

function namedServer(path: string): ServerBinary {
  const server = inspectServer(resolve(path));
  if (server === undefined) throw new Error(`${path} is no Redis or Valkey server.`);
  return server;
}

function everyServer(): ServerBinary[] {
  return [...listServers(), ...fetchedServers()].filter((server) => isRecentEnough(server.version));
}

function fetchedServers(): ServerBinary[] {
  if (!existsSync(SERVERS_DIR)) return [];
  const programs = readdirSync(SERVERS_DIR).flatMap((dir) => {
    const bin = join(SERVERS_DIR, dir, "bin");
    return existsSync(bin) ? readdirSync(bin).map((name) => join(bin, name)) : [];
  });
  return programs.map(inspectServer).filter((server) => server !== undefined);
}

async function runTests(server: ServerBinary, extraArgs: string[]): Promise<Outcome> {
  console.log(`\n=== ${server.name} ${server.version}  ${server.path}\n`);
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "hotpath-matrix-"));
  try {
    const report = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const code = await runVitest(server, [...reporters, ...extraArgs]);
    const counts = readReport(report);
    return {
      server,
      ...counts,
      seconds: (performance.now() - started) / 1000,
      succeeded: code === 0 && counts.failed === 0 && counts.passed > 0,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runVitest(server: ServerBinary, args: string[]): Promise<number | null> {
  // REDIS_URL would win over the server under test.
  const env = { ...process.env, HOTPATH_SERVER: server.path, REDIS_URL: undefined };
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [VITEST, "run", ...args], { env, stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", reject);
    child.once("exit", resolve);
  });
}

function readReport(file: string): Pick<Outcome, "passed" | "failed" | "skipped"> {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0 };
  const report = JSON.parse(readFileSync(file, "utf8")) as Record<string, number>;
  return {
    passed: report["numPassedTests"] ?? 0,
    failed: report["numFailedTests"] ?? 0,
    skipped: (report["numPendingTests"] ?? 0) + (report["numTodoTests"] ?? 0),
  };
}

function printTable(rows: Outcome[]): void {
  const columns = [
    { title: "server" },
    { title: "version" },
    ...["passed", "failed", "skipped", "seconds"].map((title) => ({ title, align: "right" as const })),
    { title: "" },
  ];
  const cells = rows.map(({ server, passed, failed, skipped, seconds, succeeded }) => [
    ...[server.name, server.version, String(passed), String(failed), String(skipped), seconds.toFixed(1)],
    succeeded ? "ok" : "FAILED",
  ]);
  console.log(`\n${renderTable(columns, cells, Number.POSITIVE_INFINITY).join("\n")}`);
}
