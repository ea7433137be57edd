/** The longest call of every function, in its worst documented case. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Bench } from "../bench";
import { LONGEST_CASES, type Argument, type LongestCase } from "../longest/cases";
import { milliseconds, type Findings, type Group } from "../row";

const MOST_MS = 20;
const ROUNDS = 3;
const MANIFEST = fileURLToPath(new URL("../../../dist/manifest.json", import.meta.url));

const ABOUT =
  `The longest call of every function in its worst documented case (\`scripts/bench/longest/cases.ts\`): time of the server by ` +
  `SLOWLOG or of its processor, the least of ${ROUNDS} rounds. Within ${MOST_MS} ms unless it says "missed". Where a function takes a LIMIT that only ` +
  "sets how much of a backlog one call works off, it is the default.";
const HEADER = ["| function | case | longest call | |", "|---|---|---|---|"];

interface Manifest {
  libraries: { name: string; functions: { name: string; flags: string[] }[] }[];
}

/** As `encode` does it, of bytes too. */
function encoded(args: readonly Argument[]): Buffer {
  const parts = args.flatMap((arg) => {
    const value = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg));
    return [Buffer.from(`$${value.length}\r\n`), value, Buffer.from("\r\n")];
  });
  return Buffer.concat([Buffer.from(`*${args.length}\r\n`), ...parts]);
}

/** The least of some rounds: whatever else the machine does only adds. An error is an answer, and is shown. */
async function longestOf(
  bench: Bench,
  name: string,
  isReader: boolean,
  { seed, call }: LongestCase,
): Promise<{ ms: number; error: string | undefined }> {
  let ms = Number.POSITIVE_INFINITY;
  let error: string | undefined;
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round === 0 || !isReader) {
      await bench.flush();
      await seed?.(bench);
    }
    const args = await call(bench);
    await bench.libraries.collectGarbage();
    const before = await bench.cpuMs();
    await bench.call("SLOWLOG", "RESET");
    await bench.call("CONFIG", "SET", "slowlog-log-slower-than", 0);
    await bench.pipeline([encoded(["FCALL", name, ...args])]).catch((problem: Error) => (error = problem.message));
    await bench.call("CONFIG", "SET", "slowlog-log-slower-than", -1);
    // Either is more than the call took: this holds what came before and after it, the log what else ran meanwhile.
    ms = Math.min(ms, (await bench.cpuMs()) - before);
    const entries = (await bench.call("SLOWLOG", "GET", 10)) as [number, number, number, string[]][];
    const own = entries.find(([, , , [command]]) => command === "FCALL");
    if (own !== undefined) ms = Math.min(ms, own[2] / 1000);
  }
  return { ms, error };
}

async function run(bench: Bench): Promise<Findings> {
  const { libraries } = JSON.parse(readFileSync(MANIFEST, "utf8")) as Manifest;
  const lines: string[] = [];
  for (const { functions } of libraries) {
    for (const { name, flags } of functions) {
      const each = LONGEST_CASES[name];
      if (each === undefined) throw new Error(`${name} has no case in scripts/bench/longest/cases.ts.`);
      const { ms, error } = await longestOf(bench, name, flags.includes("no-writes"), each);
      process.stderr.write(`${name} ${milliseconds(ms)} ${error ?? ""}\n`);
      lines.push(`| \`${name}\` | ${each.what} | ${milliseconds(ms)} | ${ms <= MOST_MS ? "" : "missed"} |`);
    }
  }
  return { rows: [], notes: [], tables: [{ title: "Longest calls", about: ABOUT, lines: [...HEADER, ...lines] }] };
}

export const longestCalls: Group = { name: "longest-calls", run };
