/** What `docs/benchmarks.md` says around the table. */
import { cpus } from "node:os";
import type { Bench } from "./bench";
import type { Findings } from "./row";
import { tableOf } from "./table";

/** On what was measured, and how much. */
export function configurationOf(bench: Bench, quick: boolean): string[] {
  const processors = cpus();
  const sizes = Object.entries(bench.sizes).map(([name, value]) => `${name} ${value}`);
  return [
    `- server: ${bench.server}, no persistence, on the loopback address`,
    `- processor: ${processors.length} × ${processors[0]?.model.trim() ?? "unknown"}, shared by server and client`,
    `- client: Node ${process.versions.node}, one connection, commands encoded beforehand`,
    `- sizes${quick ? " (quick)" : ""}: ${sizes.join(", ")}`,
  ];
}

const HEAD = `# Benchmarks

Written by \`npm run bench -- --write\`; \`--quick\` looks in a few minutes, \`--only name\` at one group, \`--server path\` at
another server.
`;

const HOW_TO_READ = `## How to read it

- **Everything is a ratio.** Both sides run in turn on one server in one run, and every other round in reverse order. The ratio is the median
  of the rounds' ratios: above 1, ours is the faster. Absolute figures change from machine to machine, ratios much less.
- **ratio** is by the clock, as the client sees it, and is what targets are about. **server CPU** is the ratio of the processor time of the
  server's main thread: where the two differ, something else used the machine.
- **The raw pipeline** is what a client would send without functions: it parses no address, makes no id, keeps no document and no series, finds
  no late event and may count twice after a crash. It is the price of the counting alone.
- **Twins** are the same functions written in Lua by hand (\`scripts/bench/twins/\`). Before the clock starts, both must have left the same keys,
  values and times to live (to 30 s), and counting the same replies. What is lost against a twin is lost by the TypeScript.
- **PING** is sent every millisecond by a client with a thread of its own, whether or not the one before was answered.
`;

const LIMITS = `## What the limits are, and why

- An event that is the first of its page in its minute is announced to rotation and noted in the documents; all others are only counted. The
  busier the site, the nearer it comes to the raw pipeline: compare the rows of whole minutes.
- A call costs what calling a function costs (see the empty call), then one read of the state and the decoding of the JSON. One event a call pays
  this for each event, a batch once.
- The raw PFMERGE is one command a page. A rotation also looks whether sources are there and what they are, shortens the life of each, counts
  the result, notes the point of the series and announces the page to the next tier: a dozen commands more.
- A PING that arrives together with the next call is answered after that call: the worst wait is two calls. LIMIT bounds it.
- Calls in one pipeline follow each other without a gap: a client that cares for others sends the next call after the reply to the one before.
`;

/** The whole document. */
export function documentOf(configuration: readonly string[], { rows, notes }: Findings): string {
  const list = notes.map((note) => `- ${note}`);
  return [HEAD, ...configuration, "", tableOf(rows), "", ...list, "", HOW_TO_READ, LIMITS].join("\n").trimEnd() + "\n";
}
