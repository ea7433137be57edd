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
- **The libraries on the server** are, for each side, those that a server of its users would have: the four compiled ones; for a twin, it in
  place of the library it stands for; for the least that a function can do, that alone. All functions share one Lua heap, and its
  collector walks all of it: it starts from a collected heap on each side.
- **Twins** are the same functions written in Lua by hand (\`scripts/bench/twins/\`). Before the clock starts, both must have left the same keys,
  values and times to live (to 30 s), and counting the same replies. What is lost against a twin is lost by the TypeScript.
- **PING** is sent every millisecond by a client with a thread of its own, whether or not the one before was answered.
`;

const LIMITS = `## What the limits are, and why

- **The least that a function can do** (\`scripts/bench/twins/floor.lua\`) counts views and devices and checks nothing: no address is parsed,
  no clock and no state is read, nothing is announced to rotation, nothing noted in documents. It is what calling a function, taking the
  event apart, the commands and the reply cost, which no code of ours can save. One event a call, that is less than half the speed of the
  raw pipeline: a target of 0.5 × is beyond what a function of Redis can do with an event in JSON, six writes and this reply. In batches it is
  about as fast as the raw pipeline, because grouping saves what handing entries to Lua costs; every check is then a loss against it.
  Counted by callgrind, where nothing else disturbs, an event costs the server 52 k instructions by the raw pipeline, 51 k by the least
  that a function can do, and 62 k by \`ingest_events\`: to reach the raw pipeline, 2 k would have to do for telling times from other text,
  taking queries off addresses, the limits of late and early, what rotation has to hear of, and the way back where a key is foreign; they
  take 11 k. One event a call is 108 k by the least, 130 k by \`track_events\`.
- From one start of the server to the next, everything that runs in Lua may be a tenth faster or slower against the raw pipeline: it lives on a
  processor's caches, and these are shared. \`ingest_events\` was 0.79 to 0.99 × in four starts of a day, the least that a function can do 1.01 to
  1.08 ×. Ratios of Lua to Lua hardly change.
- **The raw PFMERGE** is one command a page, and that command alone is half of what a rotation costs (135 k of 277 k instructions). A
  rotation also shortens the life of each source, gives one to the result, counts it, notes the point of the series, and announces the
  page to the next tier. As a raw pipeline, all of these writes are the row below it. What is left between the two is what makes it safe
  to be cut off, repeated and late: whether sources are there and what they are, and the point that was there before.
- An event that is the first of its page in its minute is announced to rotation and noted in the documents; all others are only counted. The
  busier the site, the nearer it comes to the raw pipeline: compare the rows of whole minutes.
- **Scans** of the notifier: the raw pipeline may list a package twice, loses a scan or counts it twice when its client dies, and knows no quiet
  time. An entry that is handed to Lua costs as much as the three commands of the raw pipeline, before anything is done with it.
- **Memory.** By far the largest part of a page was its series: 140 kB of 172 kB as sorted sets, 12 kB as hashes of 128 points, which Redis
  keeps as listpacks. The largest part now are HyperLogLogs, which have a key each by their names: of 190 bytes for a handful of devices, two
  thirds are the name, its entry in the table of keys, and its time to live. 60 windows of a minute are kept where the other keeps 5.
- A PING that arrives together with the next call is answered after that call: the worst wait is two calls. LIMIT bounds it.
- Calls in one pipeline follow each other without a gap: a client that cares for others sends the next call after the reply to the one before.
`;

/** The whole document. */
export function documentOf(configuration: readonly string[], { rows, notes, tables = [] }: Findings): string {
  const list = notes.map((note) => `- ${note}`);
  const more = tables.flatMap(({ title, about, lines }) => [`## ${title}`, "", about, "", ...lines, ""]);
  return (
    [HEAD, ...configuration, "", tableOf(rows), "", ...list, "", ...more, HOW_TO_READ, LIMITS].join("\n").trimEnd() +
    "\n"
  );
}
